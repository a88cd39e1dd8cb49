// An administrator's way from signing in to the report of a first file, and what comes after it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { csv, holding, open, screen, signIn, start, stop } from "./browser.mjs";
import { api, fedPortal, feed, PAGE, people, portal, xero } from "./cloud.mjs";

before(start);
after(stop);

const row = (page, name) => page.getByRole("row", { name });
const heading = (page, name) => page.getByRole("heading", { name, exact: true }).waitFor();
const figure = (page, name) => page.locator(".figure", { has: page.getByText(name, { exact: true }) }).locator("dd");

const SAMPLE = `Work email,Given name,Family name,Position,Boss
ada@northwind.example,Ada,Lovelace,Engineer,bo@northwind.example
bo@northwind.example,Bo,Diddley,,
`;

test("who has never heard of S3 gets from signing in to the report of a first file", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await page.goto(PAGE);
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await screen(page, "sign-in");

  await signIn(page, administrator);
  await heading(page, "Northwind Traders");
  await screen(page, "overview-begin");

  await page.getByRole("button", { name: "Authorise" }).click();
  await heading(page, "Authorise the data feed");
  await screen(page, "authorise");
  await page.getByRole("button", { name: "Authorise the data feed" }).click();
  await heading(page, "Data mapping");
  const template = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download an example file" }).click();
  assert.equal((await template).suggestedFilename(), "go1-template.csv");
  await screen(page, "sample");

  // A sample that cannot be used says why, and nothing is lost by it.
  await page.locator("input[type=file]").setInputFiles(csv("semicolons.csv", "Email;First name\na@b.example;A\n"));
  await page.getByRole("alert").getByText("semicolons.csv cannot be used.").waitFor();
  await screen(page, "sample-refused");

  await page.locator("input[type=file]").setInputFiles(csv("sample.csv", SAMPLE));
  await heading(page, "Match your columns");
  assert.equal(await page.getByLabel("Email required").inputValue(), "Work email");
  await page.getByLabel("Last Name required").selectOption("");
  await page.getByText("Still to be matched:").waitFor();
  await page.getByRole("button", { name: "Done" }).click();
  assert.equal(await page.evaluate(() => document.activeElement?.id), "field-last_name");
  await screen(page, "matching-incomplete");
  await page.getByLabel("Last Name required").selectOption("Family name");
  await page.getByText("All required fields are matched.").waitFor();
  // One column, two fields.
  await page.getByLabel("Manager", { exact: true }).selectOption("Boss");
  await page.getByLabel("Manager email").selectOption("Boss");
  await page.getByLabel("Job title").selectOption("Position");
  await page.getByLabel("Auto-disable users").check();
  const preview = page.getByRole("region", { name: "As the first rows would arrive" });
  assert.match(await preview.innerText(), /ada@northwind\.example.*Ada.*Lovelace/s);
  await screen(page, "matching");
  await page.getByRole("button", { name: "Done" }).click();

  await heading(page, "AWS credentials");
  await screen(page, "credentials-none");
  await page.getByRole("button", { name: "Generate AWS credentials" }).click();
  await page.getByText("Copy the secret key now.").waitFor();
  await page.getByRole("button", { name: "Copy secret key" }).click();
  const secret = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(secret, /^\S{20,}$/);
  await page.getByText("Python", { exact: true }).click();
  assert.match(await page.getByLabel("Python", { exact: true }).innerText(), new RegExp(`go1-user-feed-local", "${id}/people`));
  await screen(page, "credentials");

  await page.getByRole("link", { name: "Upload history" }).click();
  await page.getByText("No file has come yet.").waitFor();
  await screen(page, "uploads-none");
  await page.getByRole("button", { name: "Upload a file" }).click();
  await page.getByLabel("CSV file").setInputFiles(csv("people.csv", SAMPLE + "not an address,Cy,Twombly,,\n"));
  await screen(page, "upload-from-page");
  await page.getByRole("button", { name: "Rehearse" }).click();
  await page.getByText("This is a rehearsal").waitFor();
  await heading(page, "What it would do");
  await screen(page, "rehearsal");
  assert.equal(await figure(page, "Created").innerText(), "2");
  assert.deepEqual((await api("GET", `/portals/${id}/users`)).items, []);

  // A rehearsal sets nothing up.
  await page.getByRole("navigation").getByRole("link", { name: "Overview" }).first().click();
  await page.getByText("Four steps, and your people").waitFor();
  // That leads straight to choosing one.
  await page.getByRole("button", { name: "Upload a file" }).click();
  await page.getByLabel("CSV file").setInputFiles(csv("people.csv", SAMPLE + "not an address,Cy,Twombly,,\n"));
  await page.getByLabel("Rehearsal").uncheck();
  await page.getByRole("button", { name: "Upload and apply" }).click();
  await heading(page, "What it did");
  assert.equal(await figure(page, "Created").innerText(), "2");
  assert.equal(await figure(page, "Not processed").innerText(), "1");
  await page.getByText("Correct the address; one address in the cell and nothing else.").waitFor();
  // With auto-disable, nobody should send the corrected rows alone.
  await page.getByText("a file with only these rows would make everybody else inactive").waitFor();
  await screen(page, "upload");
  for (const [button, text] of [
    ["Download the report", /^row,identity,outcome,/],
    ["Download the rows that were not processed", /not an address,Cy,Twombly/],
  ]) {
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: button }).click();
    assert.match(readFileSync(await (await download).path(), "utf8"), text);
  }
  const { items } = await api("GET", `/portals/${id}/users`);
  assert.deepEqual(items.map(({ email }) => email).sort(), ["ada@northwind.example", "bo@northwind.example"]);

  await page.getByRole("link", { name: "← Upload history" }).click();
  await row(page, /people.csv/).first().waitFor();
  await screen(page, "uploads");
  await page.getByRole("navigation").getByRole("link", { name: "Overview" }).first().click();
  await page.getByText("Your data feed is set up.").waitFor();
  await screen(page, "overview");
});

test("held disables show who they are about, and are done when they are approved", async () => {
  const { id, administrator } = await fedPortal();
  const everybody = Array.from({ length: 40 }, (_, at) => at);
  await feed(id, "everybody.csv", people(everybody, id));
  const held = await feed(id, "most-are-missing.csv", people(everybody.slice(0, 12), id));
  assert.equal(held.status, "held");
  const page = await open();
  // As a mail would lead there.
  await signIn(page, administrator, `/portals/${id}/uploads/${held.upload_id}`);
  await page.getByText("28 people would be made inactive.").first().waitFor();
  const about = page.getByRole("region", { name: "Would be made inactive" });
  await about.waitFor();
  const shown = await about.getByRole("row").allInnerTexts();
  const missing = everybody.slice(12).map((at) => `Person${at}`);
  // By name.
  assert.deepEqual(shown.slice(1).map((text) => /Person\d+/.exec(text)[0]), missing.sort());
  const list = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download this list" }).click();
  assert.equal(readFileSync(await (await list).path(), "utf8").match(/,held,/g).length, 28);
  await screen(page, "held");
  // A long list is decided above it, too.
  assert.equal(await page.getByRole("button", { name: "Approve" }).count(), 2);
  assert.equal(await page.getByRole("button", { name: "Process again" }).count(), 0);
  await page.getByRole("button", { name: "Approve" }).first().click();
  await page.getByRole("dialog", { name: "Make 28 people inactive?" }).waitFor();
  await screen(page, "held-question");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal((await api("GET", `/portals/${id}/uploads/${held.upload_id}`)).status, "held");
  await page.getByRole("button", { name: "Approve" }).first().click();
  await page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
  await page.getByText("28 changes that had been held back were approved.").waitFor();
  await heading(page, "What it did");
  assert.equal(await figure(page, "Made inactive").innerText(), "28");
});

test("rejected, nobody of them is made inactive", async () => {
  const { id, administrator } = await fedPortal();
  const everybody = Array.from({ length: 30 }, (_, at) => at);
  await feed(id, "everybody.csv", people(everybody, id));
  const { upload_id } = await feed(id, "few.csv", people([0, 1], id));
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads/${upload_id}`);
  await page.getByRole("button", { name: "Reject" }).first().click();
  await page.getByRole("dialog").getByRole("button", { name: "Reject" }).click();
  await page.getByText("28 changes that had been held back were rejected, and not made.").waitFor();
  const { items } = await api("GET", `/portals/${id}/users?limit=100`);
  assert.ok(items.every(({ status }) => status === "active"));
});

test("regenerating says what stops working, and shows the new secret once", async () => {
  const { id, administrator } = await fedPortal();
  const first = await api("POST", `/portals/${id}/feed/credentials`);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/credentials`);
  await page.getByText(first.access_key_id).first().waitFor();
  await page.getByRole("button", { name: "Regenerate AWS credentials" }).click();
  await page.getByText("stops working at once").waitFor();
  await screen(page, "regenerate");
  await page.getByRole("button", { name: "Regenerate", exact: true }).click();
  await page.getByText("Copy the secret key now.").waitFor();
  // Whoever has not copied it is asked before leaving, and stays.
  const asked = page.waitForEvent("dialog");
  const leaving = page.getByRole("link", { name: "Audit" }).click();
  const question = await asked;
  assert.equal(question.message(), "The secret key is not shown again. Leave without it?");
  await question.dismiss();
  await leaving;
  const now = await api("GET", `/portals/${id}/feed/credentials`);
  assert.notEqual(now.access_key_id, first.access_key_id);
  await page.getByText(now.access_key_id).first().waitFor();
  await page.reload();
  await page.getByText("Not shown again.").waitFor();
  // An answer that gets lost had the only secret.
  await page.getByRole("button", { name: "Regenerate AWS credentials" }).click();
  await page.route("**/feed/credentials", (route) => (route.request().method() === "POST" ? route.abort() : route.continue()));
  await page.getByRole("button", { name: "Regenerate", exact: true }).click();
  await page.getByText("A new key pair may have been generated, whose secret nobody has seen").waitFor();
});

test("a mapping is reset and matched anew, and the credentials stay", async () => {
  const { id, administrator } = await fedPortal();
  const pair = await api("POST", `/portals/${id}/feed/credentials`);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/mapping`);
  await page.getByText("Files are read by version 1").waitFor();
  await screen(page, "mapping");
  await page.getByRole("button", { name: "Reset" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Reset" }).click();
  await page.locator("input[type=file]").setInputFiles(csv("sample.csv", SAMPLE));
  // What was chosen before the reset is offered again.
  assert.equal(await page.getByLabel("Auto-disable users").isChecked(), true);
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByText("Files are read by version 2").waitFor();
  assert.equal((await api("GET", `/portals/${id}/feed/mapping`)).auto_disable, true);
  const now = await api("GET", `/portals/${id}/feed/credentials`);
  assert.equal(now.access_key_id, pair.access_key_id);
  await page.getByText("Earlier versions (1)").click();
  await page.getByRole("button", { name: "Use version 1 again" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Use again" }).click();
  await page.getByText("Files are read by version 3").waitFor();
  assert.equal((await api("GET", `/portals/${id}/feed/mapping`)).auto_disable, true);
});

test("by what people are recognised, and what an empty cell does, stays after a reset", async () => {
  const { id, administrator } = await portal({ external_id_enabled: true });
  await api("PUT", `/portals/${id}/feed/authorisation`);
  const columns = ["Number", "Work email", "Given name", "Family name", "Position"];
  const names = ["external_id", "email", "first_name", "last_name", "job_title"];
  const fields = names.map((field, at) => ({ field, column: columns[at] }));
  fields[4].on_empty = "clear";
  const body = { columns, fields, identity: "external_id", auto_disable: true };
  await api("PUT", `/portals/${id}/feed/mapping`, body);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/mapping`);
  await page.getByText("People are recognised by their external ID.").waitFor();
  await page.getByRole("button", { name: "Reset" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Reset" }).click();
  const sample = `${columns.join(",")}\n17,ada@northwind.example,Ada,Lovelace,\n18,,Bo,Diddley,\n`;
  await page.locator("input[type=file]").setInputFiles(csv("sample.csv", sample));
  await heading(page, "Match your columns");
  assert.equal(await page.getByLabel("By an external ID").isChecked(), true);
  await page.getByLabel("External ID required").selectOption("Number");
  const preview = page.getByRole("region", { name: "As the first rows would arrive" });
  // A required cell without a value is wrong, and one that clears says so.
  assert.match(await preview.innerText(), /missing/);
  assert.match(await preview.innerText(), /cleared/);
  await screen(page, "matching-external-id");
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("heading", { name: "AWS credentials" }).waitFor();
  const now = await api("GET", `/portals/${id}/feed/mapping`);
  assert.equal(now.identity, "external_id");
  assert.equal(now.auto_disable, true);
  assert.equal(now.fields.find(({ field }) => field === "job_title").on_empty, "clear");
});

test("a rehearsal says what would wait for an approval, and nobody is asked for one", async () => {
  const { id, administrator } = await fedPortal();
  const everybody = Array.from({ length: 40 }, (_, at) => at);
  await feed(id, "everybody.csv", people(everybody, id));
  const few = people(everybody.slice(0, 12), id);
  const { upload_id } = await feed(id, "most-are-missing.csv", few, { rehearsal: true });
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads/${upload_id}`);
  await page.getByText("28 people would be made inactive.").waitFor();
  await page.getByText("That would wait for an approval").waitFor();
  assert.equal(await page.getByRole("button", { name: "Approve" }).count(), 0);
  await screen(page, "rehearsal-held");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "See in the report who it is about" }).click();
  const report = readFileSync(await (await download).path(), "utf8");
  for (const at of everybody.slice(12)) assert.match(report, new RegExp(`\\.${at}@`));
});

test("what waits is shown also behind newer uploads, and who would end it is told", async () => {
  const { id, administrator } = await fedPortal();
  const everybody = Array.from({ length: 30 }, (_, at) => at);
  await feed(id, "everybody.csv", people(everybody, id));
  const held = await feed(id, "few.csv", people([0, 1], id));
  assert.equal(held.status, "held");
  await feed(id, "few-again.csv", people([0, 1], id), { rehearsal: true });
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  await page.getByText("A file waits for your decision.").waitFor();
  const link = page.getByRole("link", { name: "Look at who it is, then approve or reject" });
  assert.match(await link.getAttribute("href"), new RegExp(`/uploads/${held.upload_id}$`));
  await page.goto(`${PAGE}/portals/${id}/mapping`);
  const told = "A file waits for your decision now, and that ends with this:";
  await page.getByRole("button", { name: "Change" }).click();
  await page.getByText(told).waitFor();
  await page.getByRole("button", { name: "Back" }).click();
  await page.getByRole("button", { name: "Reset" }).click();
  await page.getByRole("dialog").getByText(told).waitFor();
  await page.getByRole("dialog").getByText("28 people would be made inactive").waitFor();
});

test("who was quicker with credentials, or with a decision, is not overrun", async () => {
  const { id, administrator } = await fedPortal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/credentials`);
  await page.getByText("No credentials have been generated yet.").waitFor();
  const theirs = await api("POST", `/portals/${id}/feed/credentials`);
  await page.getByRole("button", { name: "Generate AWS credentials" }).click();
  await page.getByRole("dialog").getByText("Somebody else has just generated this key pair").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText(theirs.access_key_id).first().waitFor();
  assert.equal((await api("GET", `/portals/${id}/feed/credentials`)).access_key_id, theirs.access_key_id);

  const everybody = Array.from({ length: 30 }, (_, at) => at);
  await feed(id, "everybody.csv", people(everybody, id));
  const { upload_id } = await feed(id, "few.csv", people([0, 1], id));
  await page.goto(`${PAGE}/portals/${id}/uploads/${upload_id}`);
  await page.getByRole("button", { name: "Approve" }).first().click();
  await api("POST", `/portals/${id}/uploads/${upload_id}/held-disables`, { decision: "reject" });
  await page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
  await page.getByText("28 changes that had been held back were rejected, and not made.").waitFor();
});

test("who leaves while a file is being sent is asked, and stays where they went", async () => {
  const { id, administrator } = await fedPortal();
  const page = await open();
  const asked = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.message());
    return dialog.accept();
  });
  await signIn(page, administrator, `/portals/${id}/uploads`);
  // The bucket takes its time.
  const sending = await holding(page, /people\.csv/, "PUT");
  await page.getByRole("button", { name: "Upload a file" }).click();
  await page.getByText("Everybody whom the feed manages and who is missing").waitFor();
  await page.getByLabel("CSV file").setInputFiles(csv("people.csv", people([0, 1], id)));
  await page.getByRole("button", { name: "Rehearse" }).click();
  await sending.arrived;
  await page.getByText(/^Sending/).waitFor();
  const stopped = page.waitForEvent("requestfailed", (request) => request.method() === "PUT");
  await page.getByRole("link", { name: "Audit" }).click();
  await heading(page, "Audit");
  assert.deepEqual(asked, ["The file is still being sent. Leave, and stop sending it?"]);
  await stopped;
  sending.release();
  await heading(page, "Audit");
});

test("people are found and changed, and the audit says so", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "people.csv", people([0, 1, 2], id));
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/users`);
  await row(page, /Amelia Person0/).waitFor();
  await screen(page, "users");
  await page.getByLabel("Name or email address").fill("nobody of this name");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByText("Nobody is found by “nobody of this name”.").waitFor();
  await screen(page, "users-none");
  await page.getByLabel("Name or email address").fill("person1");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("link", { name: /^Bj(o|ö)rn Person1$/ }).click();
  await page.getByText("Managed by the data feed").waitFor();
  await screen(page, "user");
  await page.getByRole("button", { name: "Change" }).click();
  await page.getByLabel("Last name").fill("Person of the portal");
  await page.getByLabel("Content administrator").check();
  await page.getByLabel("Sales").check();
  await page.getByLabel("Managers").fill(`chloe.2@${id}.example`);
  await screen(page, "user-change");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  const { items } = await api("GET", `/portals/${id}/users?name=${encodeURIComponent("of the portal")}`);
  assert.deepEqual(items[0].roles, ["Learner", "Content administrator"]);
  assert.deepEqual(items[0].group_ids, [7]);
  assert.equal(items[0].manager_ids.length, 1);
  const value = (name) => page.locator("dt", { hasText: name }).locator("xpath=following-sibling::dd[1]").innerText();
  assert.match(await value("Roles"), /^Learner, Content administrator/);
  assert.equal(await value("Groups"), "Sales");
  assert.equal(await value("Managers"), "Chloe Person2");
  assert.match(await value("Source"), /^Data feed, /);
  await page.getByRole("link", { name: "Audit" }).click();
  await row(page, /changed a user/).waitFor();
  await screen(page, "audit");
});

test("settings are kept, and what is wrong with them is said", async () => {
  const { id, administrator } = await fedPortal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/settings`);
  await page.getByLabel("Email addresses, one a line").fill("not an address");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Email addresses, one a line").fill("ann@northwind.example\nbo@northwind.example");
  await page.getByLabel("Expect a file every so many hours").fill("26");
  // What is required is not saved as nothing.
  await page.getByLabel("People", { exact: true }).fill("");
  await page.getByRole("button", { name: "Save" }).click();
  assert.equal(await page.getByLabel("People", { exact: true }).evaluate((input) => input.validity.valueMissing), true);
  await page.getByLabel("People", { exact: true }).fill("12");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  await screen(page, "settings");
  const settings = await api("GET", `/portals/${id}/feed/settings`);
  assert.equal(settings.expect_file_every_hours, 26);
  assert.equal(settings.disable_limit_floor, 12);
  assert.deepEqual(settings.notify_emails.sort(), ["ann@northwind.example", "bo@northwind.example"]);
});

test("a company on Xero connects, looks at whom it has, and imports them", async () => {
  const { id, administrator } = await portal({ name: "Harbour Café" });
  const { user_id } = await xero("POST", "/fake/users", {
    email: administrator.email,
    first_name: "Olive",
    last_name: "Harper",
  });
  const staff = [
    ["Amelia", "Nguyen", `amelia.${id}@harbour-cafe.example`],
    ["Dev", "Sharma", ""],
    ["Chloe", "Papadopoulos", `chloe.${id}@harbour-cafe.example`],
  ];
  const employees = staff.map(([first_name, last_name, email], at) => ({
    id: `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`,
    first_name,
    last_name,
    email,
  }));
  const organisation = { name: "Harbour Café", country: "AU", owner: user_id, employees };
  const { tenant_id } = await xero("POST", "/fake/organisations", organisation);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/xero`);
  await page.getByRole("button", { name: "Connect to Xero" }).waitFor();
  await screen(page, "xero-begin");
  await page.getByRole("button", { name: "Connect to Xero" }).click();
  await page.getByLabel(administrator.email).check();
  await page.locator(`input[value="${tenant_id}"]`).check();
  await page.getByRole("button", { name: "Allow access" }).click();
  await page.getByText("Whose employees are to be imported?").waitFor();
  await screen(page, "xero-organisation");
  await page.getByRole("button", { name: "Use this organisation" }).click();
  await page.getByText("Connected with Harbour Café").waitFor();
  await screen(page, "xero");
  await page.getByRole("button", { name: "Import users from Xero" }).click();
  await heading(page, "To be imported (2)");
  const cannot = page.getByRole("region", { name: "Cannot be imported" });
  assert.match(await cannot.innerText(), /Dev Sharma/);
  await screen(page, "xero-import");
  await page.getByLabel("Import Chloe Papadopoulos").uncheck();
  await page.getByLabel("Import Amelia Nguyen").uncheck();
  assert.equal(await page.getByRole("button", { name: "Nobody is chosen" }).isDisabled(), true);
  await page.getByLabel("Import Amelia Nguyen").check();
  // Those who were looked at are named, and nobody else is imported.
  const begun = page.waitForRequest((request) => request.url().endsWith("/xero/import") && request.method() === "POST");
  await page.getByRole("button", { name: "Import 1 user" }).click();
  assert.deepEqual(JSON.parse((await begun).postData()).employee_ids, [employees[0].id]);
  await heading(page, "What it did");
  assert.equal(await figure(page, "Created").innerText(), "1");
  const { items } = await api("GET", `/portals/${id}/users`);
  assert.deepEqual(items.map(({ email }) => email), [staff[0][2]]);
  // The connection is given back after the import.
  await page.getByRole("navigation").getByRole("link", { name: "Settings" }).last().click();
  await page.getByText("1 of 200").waitFor();
  await screen(page, "xero-settings");
});

test("a company on Xero that has no portal signs up", async () => {
  const owner = `olive.${Date.now()}@harbour-cafe.example`;
  const { user_id } = await xero("POST", "/fake/users", { email: owner, first_name: "Olive", last_name: "Harper" });
  const organisation = { name: "Harbour Café", country: "AU", owner: user_id, employees: [] };
  const { tenant_id } = await xero("POST", "/fake/organisations", organisation);
  const page = await open();
  await page.goto(`${PAGE}/signup`);
  await page.getByLabel("Company").fill("Harbour Café");
  await screen(page, "sign-up");
  await page.getByRole("button", { name: "Continue with Xero" }).click();
  await page.getByLabel(owner).check();
  await page.locator(`input[value="${tenant_id}"]`).check();
  await page.getByRole("button", { name: "Allow access" }).click();
  await page.getByText("We have sent a first password").waitFor();
  const [, made] = /\/portals\/(9\d{11})\/xero\?signed_up$/.exec(page.url());
  assert.equal((await api("GET", `/portals/${made}`)).name, "Harbour Café");
});

test("who has changed their mind disconnects from Xero", async () => {
  const { id, administrator } = await portal({ name: "Harbour Café" });
  const { user_id } = await xero("POST", "/fake/users", { email: administrator.email, first_name: "O", last_name: "H" });
  const organisation = { name: "Harbour Café", country: "AU", owner: user_id, employees: [] };
  const { tenant_id } = await xero("POST", "/fake/organisations", organisation);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/xero`);
  await page.getByRole("button", { name: "Connect to Xero" }).click();
  await page.getByLabel(administrator.email).check();
  await page.locator(`input[value="${tenant_id}"]`).check();
  await page.getByRole("button", { name: "Allow access" }).click();
  await page.getByText("Whose employees are to be imported?").waitFor();
  await page.getByRole("navigation").getByRole("link", { name: "Settings" }).last().click();
  await page.getByRole("button", { name: "Disconnect" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
  await page.getByText("so there is nothing to disconnect").waitFor();
  assert.equal((await api("GET", `/portals/${id}/xero`)).state, "not_connected");
});
