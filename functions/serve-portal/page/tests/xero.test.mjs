// The import from Xero: whom it takes, who is assigned courses, and what is said where there is none.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open, screen, signIn, start, stop } from "./browser.mjs";
import { api, assignments, fedPortal, feed, PAGE, portal, xero } from "./cloud.mjs";

before(start);
after(stop);

const heading = (page, name) => page.getByRole("heading", { name, exact: true });
const button = (page, name) => page.getByRole("button", { name, exact: true });
const refusal = (code) => ({ type: "x", code, title: "Refused.", detail: "Refused.", status: 409 });

/** An organisation of this many, and its portal, whose administrator is at the preview. One is a user already. */
async function connected() {
  const { id, administrator } = await fedPortal();
  const { user_id } = await xero("POST", "/fake/users", { email: administrator.email, first_name: "O", last_name: "H" });
  const employees = ["Amelia", "Björn", "Chloe"].map((first_name, at) => ({
    id: `00000000-0000-4000-8000-00000000000${at}`,
    first_name,
    last_name: `Person${at}`,
    email: `person.${at}@${id}.example`,
  }));
  await feed(id, "people.csv", `Email,First name,Last name\nperson.2@${id}.example,Chloe,Person2\n`);
  const organisation = { name: "Harbour Café", country: "AU", owner: user_id, employees };
  const { tenant_id } = await xero("POST", "/fake/organisations", organisation);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/xero`);
  await button(page, "Connect to Xero").click();
  await page.getByLabel(administrator.email).check();
  await page.locator(`input[value="${tenant_id}"]`).check();
  await page.getByRole("button", { name: "Allow access" }).click();
  await button(page, "Use this organisation").click();
  await button(page, "Import users from Xero").click();
  await heading(page, "To be imported (2)").waitFor();
  return { id, page, employees };
}

async function imported(page, id) {
  await heading(page, "What it did").waitFor();
  const { items } = await api("GET", `/portals/${id}/users`);
  return new Map(items.map(({ email, user_id }) => [email.split("@")[0], user_id]));
}

const FREE = [9001, 9002, 9003, 9004, 9005];
const all = (...users) => users.flatMap((user) => FREE.map((course) => `${user} ${course}`)).sort();

test("courses are assigned to those who are imported and to those who are users already, as the button says", async () => {
  const { id, page } = await connected();
  await page.getByText("Users already (1)").click();
  await page.getByText("They are not changed; whether they are assigned the courses too, you choose below.").waitFor();
  await page.getByText("Whoever is inactive is assigned nothing").waitFor();
  await screen(page, "xero-courses");
  await page.getByLabel("Import Björn Person1").uncheck();
  await button(page, "Import 1 user, assign courses to 2").click();
  const users = await imported(page, id);
  assert.deepEqual([...users.keys()].sort(), ["person.0", "person.2"]);
  assert.deepEqual(await assignments(id), all(users.get("person.0"), users.get("person.2")));
});

test("courses can be for those alone who are imported, or for nobody", async () => {
  const { id, page } = await connected();
  await page.getByLabel("Also to the 1 person who is a user already").uncheck();
  await button(page, "Import 2 users, assign courses").click();
  const users = await imported(page, id);
  assert.deepEqual(await assignments(id), all(users.get("person.0"), users.get("person.1")));
  const other = await connected();
  await other.page.getByLabel("Assign the 5 free courses").uncheck();
  await button(other.page, "Import 2 users").click();
  await imported(other.page, other.id);
  assert.deepEqual(await assignments(other.id), []);
});

test("whoever has no place can have that of somebody else", async () => {
  const { id, administrator } = await portal();
  const about = await api("GET", `/portals/${id}/xero`);
  const person = (at) => ({
    employee_id: `00000000-0000-4000-8000-00000000000${at}`,
    first_name: "Amelia",
    last_name: `Person${at}`,
    email: `amelia.${at}@${id}.example`,
  });
  const preview = {
    organisation: { tenant_id: person(0).employee_id, name: "Harbour Café", country: "AU" },
    source: "payroll_employees",
    source_note: "These are the employees.",
    places_left: 2,
    to_import: [person(1), person(2)],
    already_users: [],
    cannot_import: [],
    outside_places: [person(3), person(4)],
  };
  const page = await open();
  await page.route(`**/portals/${id}/xero`, (route) =>
    route.request().headers().authorization ? route.fulfill({ json: about }) : route.continue(),
  );
  await page.route(`**/portals/${id}/xero/preview`, (route) => route.fulfill({ json: preview }));
  await page.route(`**/portals/${id}/xero/import`, (route) =>
    route.request().method() === "POST" ? route.fulfill({ status: 409, json: refusal("import_running") }) : route.continue(),
  );
  await signIn(page, administrator, `/portals/${id}/xero/import`);
  const tick = (at) => page.getByLabel(`Import Amelia Person${at}`);
  await page.getByText("There is room for 2 more from Xero. Untick somebody above to choose one of these.").waitFor();
  assert.equal(await tick(3).isDisabled(), true);
  await tick(1).uncheck();
  await tick(3).check();
  assert.equal(await tick(1).isDisabled(), true);
  assert.equal(await tick(4).isDisabled(), true);
  await screen(page, "xero-other-place");
  const sent = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/import"));
  await button(page, "Import 2 users, assign courses").click();
  assert.deepEqual(JSON.parse((await sent).postData()).employee_ids, [2, 3].map((at) => person(at).employee_id));
  await button(page, "Choose none").click();
  assert.equal(await button(page, "Nobody is chosen").isDisabled(), true);
  await button(page, "Choose all").click();
  assert.deepEqual(await Promise.all([1, 2, 3, 4].map((at) => tick(at).isChecked())), [true, true, false, false]);
});

test("what is read of people and of the organisation is said exactly", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/xero`);
  for (const screen of ["", "/settings"]) {
    await page.goto(`${PAGE}/portals/${id}/xero${screen}`);
    await page.getByText("whether they are employed").waitFor();
    assert.equal(await page.getByText("nothing else").count(), 0);
  }
});

test("what is odd about a connection is said, and how to end one", async () => {
  const { id, administrator } = await portal();
  const about = await api("GET", `/portals/${id}/xero`);
  const organisation = { tenant_id: "00000000-0000-4000-8000-000000000000", name: "Harbour Café", country: "AU" };
  const page = await open();
  let answer = { ...about, state: "reconnect_needed", xero_answers: false, organisation };
  await page.route(`**/portals/${id}/xero`, (route) =>
    route.request().headers().authorization ? route.fulfill({ json: answer }) : route.continue(),
  );
  await signIn(page, administrator, `/portals/${id}/xero`);
  await page.getByText("Xero does not answer at the moment.").waitFor();
  await button(page, "Connect again").waitFor();
  await screen(page, "xero-reconnect");
  const connected_at = new Date().toISOString();
  answer = { ...about, state: "connected", organisation, connected_at, connected_until: connected_at };
  await page.goto(`${PAGE}/portals/${id}/xero/settings`);
  await button(page, "Disconnect").click();
  await page.getByText("Whoever was imported stays in Go1.").waitFor();
  await screen(page, "xero-disconnect");
});

test("where Xero is not offered it is in no menu, and whoever gets there is told whom to ask", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await page.route("**/config.json", async (route) => {
    const answer = await route.fetch();
    return route.fulfill({ response: answer, json: { ...(await answer.json()), xero: false } });
  });
  await page.goto(PAGE);
  await button(page, "Sign in").waitFor();
  assert.equal(await page.getByRole("link", { name: "Create an account" }).count(), 0);
  await page.route(`**/portals/${id}/xero*`, (route) =>
    route.request().headers().authorization
      ? route.fulfill({ status: 409, json: refusal("xero_not_offered") })
      : route.continue(),
  );
  await signIn(page, administrator, `/portals/${id}/xero`);
  await page.getByText("The import from Xero is not offered in your portal.").waitFor();
  const links = await page.getByRole("navigation").getByRole("link").allInnerTexts();
  assert.equal(links.filter((name) => name === "Overview").length, 1);
  await screen(page, "xero-none");
});

test("who signs in is shown where a company on Xero signs up", async () => {
  const page = await open();
  await page.goto(PAGE);
  await page.getByRole("link", { name: "Create an account" }).click();
  await heading(page, "Create an account").waitFor();
  assert.equal(page.url(), `${PAGE}/signup`);
});
