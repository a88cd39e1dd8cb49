// People: how they are found, and what a change to them means to the files that come. And portals, for Go1 staff.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { drawn, holding, open, screen, signIn, start, stop } from "./browser.mjs";
import { api, COLUMNS, fedPortal, feed, operator, people, portal } from "./cloud.mjs";

before(start);
after(stop);

/** Somebody of a portal, with the form to change them. */
async function changing(page, { id, administrator }, name = "Amelia") {
  const { items } = await api("GET", `/portals/${id}/users?name=${name}`);
  await signIn(page, administrator, `/portals/${id}/users/${items[0].user_id}`);
  await page.getByRole("button", { name: "Change" }).click();
  return items[0];
}

const address = (page) => page.getByRole("textbox", { name: /^Email/ });

/** What was sent to change somebody. */
async function saved(page, button = page.getByRole("button", { name: "Save" })) {
  const sent = page.waitForRequest((request) => request.method() === "PATCH");
  await button.click();
  return JSON.parse((await sent).postData());
}

test("who changes an address that files know a person by is asked, and told what the next file does", async () => {
  const made = await fedPortal();
  await feed(made.id, "people.csv", people([0, 1], made.id));
  const page = await open();
  const patched = [];
  page.on("request", (request) => request.method() === "PATCH" && patched.push(request.url()));
  const amelia = await changing(page, made);
  await page.getByText("Files know this person by the address: change it in your HR system as well").waitFor();
  // Only spelled differently, it is the same.
  await address(page).fill(amelia.email.toUpperCase());
  assert.deepEqual(await saved(page), { email: amelia.email.toUpperCase() });
  await page.getByText("Saved.").waitFor();
  await page.getByRole("button", { name: "Change" }).click();
  await address(page).fill(`married.${made.id}@northwind.example`);
  await page.getByRole("button", { name: "Save" }).click();
  const question = page.getByRole("dialog", { name: "Does your HR system have the new address?" });
  await question.getByText(/it creates a second user with it, and makes this one inactive/).waitFor();
  await screen(page, "user-address");
  await question.getByRole("button", { name: "Cancel" }).click();
  assert.equal(patched.length, 1);
  await page.getByRole("button", { name: "Save" }).click();
  const change = await saved(page, question.getByRole("button", { name: "Change the address" }));
  assert.deepEqual(change, { email: `married.${made.id}@northwind.example` });
  await page.getByText("Saved.").waitFor();
  // And that is what it does.
  await feed(made.id, "people.csv", people([0, 1], made.id));
  const { items } = await api("GET", `/portals/${made.id}/users?name=Amelia`);
  assert.deepEqual(items.map(({ status }) => status).sort(), ["active", "inactive"]);
});

test("who is known by an external ID keeps it, whatever the address", async () => {
  const made = await portal({ external_id_enabled: true });
  await api("PUT", `/portals/${made.id}/feed/authorisation`);
  const columns = ["Number", ...COLUMNS];
  const fields = ["external_id", "email", "first_name", "last_name"].map((field, at) => ({ field, column: columns[at] }));
  await api("PUT", `/portals/${made.id}/feed/mapping`, { columns, fields, identity: "external_id" });
  await feed(made.id, "people.csv", `${columns.join(",")}\n17,ada@${made.id}.example,Ada,Lovelace\n`);
  const page = await open();
  await changing(page, made, "Ada");
  await page.getByText("Files know this person by the external ID, and the next one sets the address that it has.").waitFor();
  await address(page).fill(`countess@${made.id}.example`);
  assert.deepEqual(await saved(page), { email: `countess@${made.id}.example` });
  await page.getByText("Saved.").waitFor();
});

test("a change takes nothing back that a colleague has done meanwhile", async () => {
  const made = await fedPortal();
  await feed(made.id, "people.csv", people([0, 1, 2], made.id));
  const page = await open();
  const { user_id } = await changing(page, made);
  await api("PATCH", `/portals/${made.id}/users/${user_id}`, { roles: ["Learner", "Administrator"] });
  await page.getByLabel("Manager", { exact: true }).check();
  assert.deepEqual((await saved(page)).roles.sort(), ["Administrator", "Learner", "Manager"]);
  await page.getByText("Saved.").waitFor();
  await page.getByText("Learner, Manager, Administrator").waitFor();
});

test("an address named twice in the place of another is a change", async () => {
  const made = await fedPortal();
  await feed(made.id, "people.csv", people([0, 1, 2], made.id));
  const { items } = await api("GET", `/portals/${made.id}/users`);
  const by = (name) => items.find(({ first_name }) => first_name === name);
  const managers = [by("Bjorn") ?? by("Björn"), by("Chloe")];
  const manager_ids = managers.map(({ user_id }) => user_id);
  await api("PATCH", `/portals/${made.id}/users/${by("Amelia").user_id}`, { manager_ids });
  const page = await open();
  await changing(page, made);
  await page.getByLabel("Managers").fill(`${managers[0].email}, ${managers[0].email}`);
  assert.deepEqual(await saved(page), { manager_ids: [manager_ids[0]] });
  await page.getByText("Saved.").waitFor();
});

test("a second search does not wait for what the first one still looks for", async () => {
  const made = await fedPortal();
  await feed(made.id, "people.csv", people([0, 1], made.id));
  const { items } = await api("GET", `/portals/${made.id}/users`);
  const page = await open();
  // As of a large portal: each first page has nobody, and there is more.
  await page.route(/users\?.*name=/, (route) => {
    const query = new URL(route.request().url()).searchParams;
    const found = query.get("cursor") ? items.filter(({ last_name }) => last_name.toLowerCase() === query.get("name")) : [];
    return route.fulfill({ json: { items: found, cursor: query.get("cursor") ? null : "on" } });
  });
  const first = await holding(page, /name=person0.*cursor=/, "GET");
  await signIn(page, made.administrator, `/portals/${made.id}/users`);
  const search = page.getByPlaceholder("Part of a name, or a whole email address");
  await search.fill("person0");
  await search.press("Enter");
  await first.arrived;
  await search.fill("person1");
  await search.press("Enter");
  await page.getByRole("link", { name: /^\S+ Person1$/ }).waitFor();
  first.release();
  await drawn(page);
  await page.getByText("Looking through all users").waitFor({ state: "detached" });
});

test("operators see what wants attention, and find a portal by its name", async () => {
  const about = {
    country: "AU",
    authorised: true,
    mapping_version: 1,
    last_file: null,
    held: null,
    overdue_since: null,
    off_boarding_since: null,
  };
  const upload_id = "01KAPTA7HZ0000000000000000";
  const file = (status) => ({ upload_id, file_name: "people.csv", received_at: "2026-10-01T01:30:00Z", status });
  const held = { upload_id, reason: "too_many_disables", disables: 28, creates: 0, expires_at: "2026-10-31T01:30:00Z" };
  const portals = [
    { portal_id: "101", name: "All Well", last_file: file("completed") },
    { portal_id: "102", name: "Refused", last_file: file("rejected") },
    { portal_id: "103", name: "Failed", last_file: file("failed") },
    { portal_id: "104", name: "Held", last_file: file("held"), held },
    { portal_id: "105", name: "Overdue", last_file: file("completed"), overdue_since: "2026-10-02T01:30:00Z" },
    { portal_id: "106", name: "Leaving", off_boarding_since: "2026-10-02T01:30:00Z" },
    { portal_id: "107", name: "New" },
  ].map((portal) => ({ ...about, ...portal }));
  const page = await open();
  // On two pages.
  await page.route("**/portals?limit=100*", (route) => {
    const more = new URL(route.request().url()).searchParams.has("cursor");
    return route.fulfill({ json: { items: more ? portals.slice(4) : portals.slice(0, 4), cursor: more ? null : "on" } });
  });
  await signIn(page, await operator());
  const names = () => page.locator("tbody th a").allInnerTexts();
  await page.getByRole("link", { name: "Held", exact: true }).waitFor();
  assert.deepEqual(await names(), ["All Well", "Refused", "Failed", "Held"]);
  await page.getByLabel("Only those that want attention").check();
  await page.getByRole("link", { name: "Leaving" }).waitFor();
  assert.deepEqual(await names(), ["Refused", "Failed", "Held", "Overdue", "Leaving"]);
  assert.equal(await page.getByRole("link", { name: "See why the last file was not applied" }).count(), 2);
  await screen(page, "portals-attention");
  await page.getByLabel("Name or number of a portal").fill("over");
  await page.getByRole("link", { name: "Refused", exact: true }).waitFor({ state: "detached" });
  assert.deepEqual(await names(), ["Overdue"]);
  await page.getByLabel("Name or number of a portal").fill("nothing of this name");
  await page.getByText("No portal fits.").waitFor();
});
