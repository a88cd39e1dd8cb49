// What is asked before something is lost, where the focus goes, and what is left when something goes wrong.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { csv, drawn, holding, open, screen, signIn, start, stop } from "./browser.mjs";
import { api, fedPortal, feed, PAGE, people, portal } from "./cloud.mjs";

before(start);
after(stop);

const SECRET = "The secret key is not shown again. Leave without it?";
const heading = (page, name) => page.getByRole("heading", { name, exact: true }).waitFor();
/** Answers what is asked before something is left, and keeps the questions. */
function answering(page) {
  const asked = { texts: [], answer: "dismiss" };
  page.on("dialog", (dialog) => {
    asked.texts.push(dialog.type() === "beforeunload" ? "beforeunload" : dialog.message());
    return dialog[asked.answer]();
  });
  return asked;
}

test("Back does not lose a secret unasked, and whoever stays is where they were", async () => {
  const { id, administrator } = await fedPortal();
  const page = await open();
  const asked = answering(page);
  await signIn(page, administrator, `/portals/${id}`);
  await heading(page, "Northwind Traders");
  await page.getByRole("link", { name: "AWS credentials", exact: true }).click();
  await page.getByRole("button", { name: "Generate AWS credentials" }).click();
  await page.getByText("Copy the secret key now.").waitFor();
  for (const times of [1, 2]) {
    await page.evaluate(() => history.back());
    await page.waitForFunction((there) => location.pathname.endsWith(there), `/portals/${id}/credentials`);
    await page.getByText("Copy the secret key now.").waitFor();
    await page.waitForFunction(() => history.state !== null);
    assert.deepEqual(asked.texts, Array(times).fill(SECRET));
  }
  asked.answer = "accept";
  await page.evaluate(() => history.back());
  await heading(page, "Northwind Traders");
  assert.equal(asked.texts.length, 3);
  // There is nothing any more that would be lost.
  await page.evaluate(() => history.forward());
  await heading(page, "AWS credentials");
  assert.equal(asked.texts.length, 3);
});

test("Back does not stop a file unasked, and stops it for whoever says so", async () => {
  const { id, administrator } = await fedPortal();
  const page = await open();
  const asked = answering(page);
  await signIn(page, administrator, `/portals/${id}`);
  await page.getByRole("link", { name: "Upload history" }).click();
  const sending = await holding(page, /people\.csv/, "PUT");
  await page.getByRole("button", { name: "Upload a file" }).click();
  await page.getByLabel("CSV file").setInputFiles(csv("people.csv", people([0, 1], id)));
  await page.getByRole("button", { name: "Rehearse" }).click();
  await sending.arrived;
  await page.evaluate(() => history.back());
  await page.waitForFunction(() => location.pathname.endsWith("/uploads"));
  await page.getByText(/^Sending/).waitFor();
  assert.deepEqual(asked.texts, ["The file is still being sent. Leave, and stop sending it?"]);
  asked.answer = "accept";
  const stopped = page.waitForEvent("requestfailed", (request) => request.method() === "PUT");
  await page.evaluate(() => history.back());
  await stopped;
  await heading(page, "Northwind Traders");
  sending.release();
});

test("what was typed is not lost unasked; what leaves nothing is not asked about", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "people.csv", people([0], id));
  const { items } = await api("GET", `/portals/${id}/users`);
  const page = await open();
  const asked = answering(page);
  await signIn(page, administrator, `/portals/${id}/users/${items[0].user_id}`);
  await page.getByRole("button", { name: "Change" }).click();
  const question = "What you have changed is not saved yet. Leave without it?";
  // Nothing is changed yet.
  await page.getByRole("link", { name: "Audit" }).click();
  await heading(page, "Audit");
  await page.goBack();
  await page.getByRole("button", { name: "Change" }).click();
  await page.getByLabel("Last name").fill("Changed");
  await page.getByRole("link", { name: "Audit" }).click();
  assert.deepEqual(asked.texts, [question]);
  assert.equal(await page.getByLabel("Last name").inputValue(), "Changed");
  // In a window of its own it leaves nothing.
  const other = page.context().waitForEvent("page");
  await page.getByRole("link", { name: "Audit" }).click({ modifiers: ["ControlOrMeta"] });
  await (await other).close();
  await page.getByRole("link", { name: "Skip to the content" }).press("Enter");
  assert.deepEqual(asked.texts, [question]);
  // Nor is anybody signed out who would rather stay.
  await page.getByText(administrator.email).first().click();
  await page.getByRole("button", { name: "Sign out" }).click();
  assert.deepEqual(asked.texts, [question, question]);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Sign out" }).waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  await page.getByRole("link", { name: "Audit" }).click();
  await heading(page, "Audit");
  assert.deepEqual(asked.texts, [question, question]);
});

test("the focus goes on with whoever goes on", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "people.csv", people([0], id));
  const { items } = await api("GET", `/portals/${id}/users`);
  const page = await open();
  const focused = (selector) => page.waitForFunction((selector) => document.activeElement?.matches(selector), selector);
  await signIn(page, administrator, `/portals/${id}/uploads`);
  await page.getByRole("button", { name: "Upload a file" }).press("Enter");
  await focused("input[type=file]");
  await page.getByRole("button", { name: "Cancel" }).press("Enter");
  await focused("#content");
  await page.goto(`${PAGE}/portals/${id}/users/${items[0].user_id}`);
  await page.getByRole("button", { name: "Change" }).press("Enter");
  await heading(page, "Change Amelia Person0");
  await focused("#content");
  await page.getByRole("button", { name: "Cancel" }).press("Enter");
  await focused("#content");
  await page.getByRole("button", { name: "Change" }).press("Enter");
  // A button that is busy for a while has the focus again afterwards.
  await page.getByLabel("Managers").fill("nobody@nowhere.example");
  await page.getByRole("button", { name: "Save" }).press("Enter");
  await page.getByText("Nobody in this portal has the address nobody@nowhere.example.").waitFor();
  await focused("button[type=submit]");
});

test("two clicks are one deed", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/mapping`);
  const sent = [];
  page.on("request", (request) => request.method() === "PUT" && sent.push(request.url()));
  await page.getByRole("button", { name: "Authorise the data feed" }).evaluate((button) => {
    button.click();
    button.click();
  });
  await heading(page, "Data mapping");
  assert.equal(sent.length, 1);
});

test("an answer that comes late does not take the place of a newer one", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "people.csv", people([0, 1], id));
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/users`);
  const search = page.getByLabel("Name or email address");
  const late = await holding(page, /name=person0/, "GET");
  await search.fill("person0");
  await page.getByRole("button", { name: "Search" }).click();
  await late.arrived;
  await search.fill("person1");
  await page.getByRole("button", { name: "Search" }).click();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  const answered = page.waitForResponse(/name=person0/);
  late.release();
  await (await answered).finished();
  await drawn(page);
  assert.match(await page.getByRole("region", { name: "Users" }).innerText(), /Person1/);

  // Of the same question twice, too.
  await page.route("**/audit*", (route) => route.abort());
  await page.getByRole("link", { name: "Audit" }).click();
  const again = page.getByRole("button", { name: "Try again" });
  await again.waitFor();
  await page.unroute("**/audit*");
  const first = await holding(page, "**/audit*", "GET", (route) => route.fulfill({ status: 503, json: {} }));
  await again.click();
  await first.arrived;
  await page.route("**/audit*", (route) => route.continue());
  await again.click();
  await page.getByText("set the portal up").waitFor();
  const refused = page.waitForResponse((response) => response.status() === 503);
  first.release();
  await (await refused).finished();
  await drawn(page);
  assert.equal(await page.getByRole("alert").count(), 0);
});

test("an answer that breaks off is none", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  await page.route("**/audit*", (route) => route.fulfill({ body: '{"items": [', contentType: "application/json" }));
  await page.getByRole("link", { name: "Audit" }).click();
  await page.getByText("Go1 cannot be reached.").waitFor();
});

test("what this page does not know yet is shown by its name, and what cannot be shown says so", async () => {
  const { id, administrator } = await fedPortal();
  const upload = await feed(id, "people.csv", people([0], id));
  const page = await open();
  let received_at = upload.received_at;
  await page.route("**/uploads?limit=30*", (route) =>
    route.fulfill({ json: { items: [{ ...upload, status: "waiting_for_stars", received_at }], cursor: null } }),
  );
  await signIn(page, administrator, `/portals/${id}/uploads`);
  await page.getByText("waiting for stars").waitFor();
  received_at = "one day";
  await page.reload();
  await page.getByText("Something went wrong in this page.").waitFor();
  await page.unrouteAll();
  await page.getByRole("button", { name: "Reload" }).click();
  await page.getByText("people.csv").waitFor();
});

test("a page that the browser has kept is loaded anew", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  await heading(page, "Northwind Traders");
  const loaded = page.waitForEvent("load");
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await loaded;
  await heading(page, "Northwind Traders");
});

test("the way to another password is the user pool's own page", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  await page.getByText(administrator.email).first().click();
  const link = new URL(await page.getByRole("link", { name: "Change password" }).getAttribute("href"));
  assert.match(link.pathname, /\/forgotPassword$/);
  assert.equal(link.searchParams.get("redirect_uri"), PAGE);
  assert.ok(link.searchParams.get("client_id"));
});

test("who is signed in has a portal, and signs up for no other", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await page.goto(`${PAGE}/signup/`);
  await page.getByLabel("Company").waitFor();
  await signIn(page, administrator);
  await heading(page, "Northwind Traders");
  await page.goto(`${PAGE}/signup`);
  await page.waitForFunction((there) => location.pathname.endsWith(there), `/portals/${id}/xero`);
});

test("every screen says whose portal it is, also a small one", async () => {
  const { id, administrator } = await portal({ name: "Northwind Traders and Daughters, Wholesale and Retail" });
  const page = await open({ width: 360, height: 640 });
  await signIn(page, administrator, `/portals/${id}/audit`);
  const name = page.getByRole("banner").getByText("Northwind Traders and Daughters");
  await name.waitFor();
  await page.getByText("set the portal up").waitFor();
  await screen(page, "small-audit");
});

test("a value that the browser does not let be copied is still to be copied", async () => {
  const { id, administrator } = await fedPortal();
  const page = await open();
  const asked = answering(page);
  await signIn(page, administrator, `/portals/${id}/credentials`);
  await page.getByRole("button", { name: "Generate AWS credentials" }).click();
  await page.getByText("Copy the secret key now.").waitFor();
  await page.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new Error("not allowed"))));
  await page.getByRole("button", { name: "Copy secret key" }).click();
  await page.getByText("It is selected: press Ctrl+C").waitFor();
  await page.getByRole("link", { name: "Audit" }).click();
  assert.deepEqual(asked.texts, [SECRET]);
  // The question has taken the selection with it.
  await page.getByRole("button", { name: "Copy secret key" }).click();
  await page.keyboard.press("ControlOrMeta+c");
  await page.getByText("It is selected: press Ctrl+C").waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Audit" }).click();
  await heading(page, "Audit");
  assert.deepEqual(asked.texts, [SECRET]);
});
