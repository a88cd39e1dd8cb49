// That nothing of a mapping is lost or changed without a word, whoever made it and whichever way it is changed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open, part, screen, signIn, start, stop } from "./browser.mjs";
import { api, COLUMNS, feed, fedPortal, PAGE, people, portal } from "./cloud.mjs";

before(start);
after(stop);

const csv = (name, text) => ({ name, mimeType: "text/csv", buffer: Buffer.from(text) });
const heading = (page, name) => page.getByRole("heading", { name, exact: true }).waitFor();
const button = (page, name) => page.getByRole("button", { name, exact: true });
const answer = (page, name) => page.getByRole("dialog").getByRole("button", { name }).click();
const drop = (page, text, name = "sample.csv") => page.locator("input[type=file]").setInputFiles(csv(name, text));
const fields = (pairs) => pairs.map(([field, column, on_empty]) => ({ field, column, ...(on_empty && { on_empty }) }));
const REQUIRED = COLUMNS.map((column, at) => [["email", "first_name", "last_name"][at], column]);

/** What a mapping says, whatever its version, its age and the order of its lines. */
const said = ({ columns, fields, identity, auto_disable }) => ({
  columns,
  fields: [...fields].sort((one, other) => one.field.localeCompare(other.field)),
  identity,
  auto_disable,
});

/** A portal with this mapping, and its administrator at the screen of it. */
async function mapped(mapping, changes) {
  const { id, administrator } = await portal(changes);
  await api("PUT", `/portals/${id}/feed/authorisation`);
  await api("POST", `/portals/${id}/feed/credentials`);
  if (mapping) await api("PUT", `/portals/${id}/feed/mapping`, mapping);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/mapping`);
  return { id, page, now: () => api("GET", `/portals/${id}/feed/mapping`) };
}

async function reset(page) {
  await button(page, "Reset").click();
  await answer(page, "Reset");
  await page.locator("input[type=file]").waitFor();
}

const EVERYTHING = {
  columns: ["Number", "Work email", "Given", "Family", "Boss", "Team no.", "Rank", "Position", "Notes"],
  fields: fields([
    ["external_id", "Number"],
    ["email", "Work email"],
    ["first_name", "Given"],
    ["last_name", "Family"],
    ["manager", "Boss"],
    ["manager_email", "Boss"],
    ["group", "Team no."],
    ["role", "Rank"],
    ["job_title", "Position", "clear"],
  ]),
  identity: "external_id",
  auto_disable: true,
};
const ROW = "17,ada@northwind.example,Ada,Lovelace,bo@northwind.example,7|99,learner,Engineer,fine";

test("changing nothing saves the same mapping", async () => {
  const { page, now } = await mapped(EVERYTHING, { external_id_enabled: true });
  await button(page, "Change").click();
  await heading(page, "Change the matches");
  await button(page, "Done").click();
  await page.getByText("Files are read by version 2").waitFor();
  assert.deepEqual(said(await now()), said(EVERYTHING));
});

test("a reset keeps what was matched by hand, and what is not in the new sample is named", async () => {
  const { page, now } = await mapped(EVERYTHING, { external_id_enabled: true });
  await button(page, "Reset").click();
  await screen(page, "mapping-reset");
  await answer(page, "Reset");
  await drop(page, `${EVERYTHING.columns.join(",")}\n${ROW}\n`);
  await heading(page, "Match your columns");
  await button(page, "Done").click();
  await page.getByText("Files are read by version 2").waitFor();
  assert.deepEqual(said(await now()), said(EVERYTHING));

  await reset(page);
  // The columns under other spellings, and two of them gone.
  await drop(page, "number, WORK EMAIL ,Given,Family,Team no.,Rank\n17,ada@northwind.example,Ada,Lovelace,7,learner\n");
  await page.getByText("Matched before, and now not: Manager, Job title, Manager email.").waitFor();
  await screen(page, "matching-lost");
  await button(page, "Done").click();
  await page.getByText("Files are read by version 3").waitFor();
  const { fields: kept } = await now();
  assert.deepEqual(kept.map(({ field }) => field).sort(), ["email", "external_id", "first_name", "group", "last_name", "role"]);
});

test("one column feeds several fields, in the mapping and in the user", async () => {
  const { id, page, now } = await mapped(null);
  await drop(page, `${COLUMNS},Boss\nada@northwind.example,Ada,Lovelace,bo@northwind.example\n`);
  await page.getByLabel("Manager", { exact: true }).selectOption("Boss");
  await page.getByLabel("Manager email").selectOption("Boss");
  await button(page, "Done").click();
  await page.getByText("Files are read by version 1").waitFor();
  const fed = (await now()).fields.filter(({ column }) => column === "Boss");
  assert.deepEqual(fed.map(({ field }) => field).sort(), ["manager", "manager_email"]);
  const boss = "bo@northwind.example";
  await feed(id, "people.csv", `${COLUMNS},Boss\n${boss},Bo,Diddley,\nada@northwind.example,Ada,Lovelace,${boss}\n`);
  const { items } = await api("GET", `/portals/${id}/users`);
  const [ada, bo] = items.sort((one, other) => one.email.localeCompare(other.email));
  assert.deepEqual(ada.manager_ids, [bo.user_id]);
  assert.equal(ada.custom.manager_email, boss);
});

test("a mapping that a script has saved without columns, or by other spellings, can be changed", async () => {
  const wanted = fields([...REQUIRED, ["job_title", "Position", "clear"]]);
  const { id, page, now } = await mapped({ fields: wanted });
  await button(page, "Change").click();
  assert.equal(await page.getByLabel("Last Name required").inputValue(), "Last name");
  await page.getByLabel("Manager email").selectOption("Email");
  await button(page, "Done").click();
  await page.getByText("Files are read by version 2").waitFor();
  const changed = said({ ...(await now()), fields: [...wanted, { field: "manager_email", column: "Email" }] });
  assert.deepEqual(said(await now()).fields, changed.fields);

  const [email, ...others] = wanted;
  const spelled = [{ ...email, column: " EMAIL" }, ...others];
  await api("PUT", `/portals/${id}/feed/mapping`, { columns: [...COLUMNS, "Position"], fields: spelled });
  await page.reload();
  await button(page, "Change").click();
  assert.equal(await page.getByLabel("Email required").inputValue(), "Email");
  assert.equal(await page.getByText("Not used").count(), 0);
});

test("auto-disable goes off by no suggestion, and whoever switches it off is told", async () => {
  const { page, now } = await mapped({ columns: COLUMNS, fields: fields(REQUIRED), auto_disable: true });
  await reset(page);
  await drop(page, `${COLUMNS},Status\nada@northwind.example,Ada,Lovelace,1\n`);
  assert.equal(await page.getByLabel("Status", { exact: true }).inputValue(), "");
  assert.equal(await page.getByLabel("Auto-disable users").isChecked(), true);
  await part(page, page.locator(".field", { has: page.locator("#leavers") }), "matching-leavers");
  await page.getByLabel("Status", { exact: true }).selectOption("Status");
  await page.getByText("Auto-disable was on, and goes off with Status.").waitFor();
  await screen(page, "matching-status");
  await part(page, page.locator(".field", { has: page.locator("#leavers") }), "matching-status-leavers");
  await button(page, "Leave Status unmatched").click();
  await button(page, "Done").click();
  await page.getByText("Files are read by version 2").waitFor();
  assert.equal((await now()).auto_disable, true);
});

test("a field that was left out of a column that was there stays out", async () => {
  const columns = [...COLUMNS, "Role"];
  const { page, now } = await mapped({ columns, fields: fields(REQUIRED) });
  await reset(page);
  await drop(page, `${columns},Status\nada@northwind.example,Ada,Lovelace,learner,1\n`);
  assert.equal(await page.getByLabel("Role", { exact: true }).inputValue(), "");
  // Of a new column it is suggested.
  assert.equal(await page.getByLabel("Status", { exact: true }).inputValue(), "Status");
  await button(page, "Done").click();
  await page.getByText("Files are read by version 2").waitFor();
  assert.equal((await now()).fields.some(({ field }) => field === "role"), false);
});

test("where Go1 takes external IDs away, that is said", async () => {
  const { id, page } = await mapped(EVERYTHING, { external_id_enabled: true });
  // Not while a mapping needs them.
  await reset(page);
  const { name, country, custom_fields, groups } = await api("GET", `/portals/${id}`);
  await api("PUT", `/portals/${id}`, { name, country, custom_fields, groups, external_id_enabled: false });
  await page.reload();
  await drop(page, `${EVERYTHING.columns.join(",")}\n${ROW}\n`);
  await page.getByText("People are recognised by their email address from now on.").waitFor();
  await page.getByText("Matched before, and now not: external_id.").waitFor();
});

test("a colleague's mapping is not overwritten unseen", async () => {
  const mine = { columns: COLUMNS, fields: fields(REQUIRED) };
  const { id, page, now } = await mapped(mine);
  await button(page, "Change").click();
  const theirs = { ...mine, columns: [...COLUMNS, "Boss"], fields: fields([...REQUIRED, ["manager", "Boss"]]) };
  await api("PUT", `/portals/${id}/feed/mapping`, theirs);
  await page.getByLabel("Auto-disable users").check();
  await button(page, "Done").click();
  await page.getByRole("heading", { name: "Somebody has saved version 2 meanwhile" }).waitFor();
  const differing = page.getByRole("region", { name: "Where they differ" });
  assert.match(await differing.innerText(), /Manager\s+Boss\s+Not matched[^]*Auto-disable\s+Off\s+On/);
  await screen(page, "mapping-quicker");
  await answer(page, "Cancel");
  assert.equal((await now()).version, 2);
  // And a third.
  await button(page, "Done").click();
  await api("PUT", `/portals/${id}/feed/mapping`, mine);
  await answer(page, "Save mine instead");
  await page.getByRole("heading", { name: "Somebody has saved version 3 meanwhile" }).waitFor();
  await answer(page, "Save mine instead");
  await page.getByText("Files are read by version 4").waitFor();
  assert.equal((await now()).auto_disable, true);

  // What is reset, or used again, is what is shown.
  for (const [opener, yes] of [
    ["Reset", "Reset"],
    ["Use version 1 again", "Use again"],
  ]) {
    if (opener !== "Reset") await page.getByText(/^Earlier versions/).click();
    await button(page, opener).click();
    const { version } = await api("PUT", `/portals/${id}/feed/mapping`, theirs);
    await answer(page, yes);
    await page.getByText("Somebody has changed the data mapping meanwhile.").waitFor();
    assert.equal((await now()).version, version);
    await answer(page, "Cancel");
    await page.getByText(`Files are read by version ${version}`).waitFor();
  }
});

test("a reset is taken back without a sample", async () => {
  const { page, now } = await mapped(EVERYTHING, { external_id_enabled: true });
  await reset(page);
  await page.getByText("Or use an earlier version again (1)").click();
  await screen(page, "mapping-after-reset");
  await button(page, "Use version 1 again").click();
  await answer(page, "Use again");
  await page.getByText("Files are read by version 2").waitFor();
  assert.deepEqual(said(await now()), said(EVERYTHING));
  await page.getByText("Earlier versions (1)").click();
  await screen(page, "mapping-versions");
});

test("groups are named, and what an empty cell does is true of each field", async () => {
  const { page } = await mapped(null, { external_id_enabled: true });
  const header = "Number,Work email,Given name,Family name,Team,Status,Role,Boss,Position";
  await drop(page, `${header}\n17,ada@northwind.example,Ada,Lovelace,7|99,1,learner,,Engineer\r\n18,bo@northwind.example,Bo,,7,,,,\n`);
  await page.getByLabel("By an external ID").check();
  await page.getByText("Your groups: 7 Sales.").waitFor();
  for (const [label, column] of [
    ["External ID required", "Number"],
    ["Group", "Team"],
    ["Status", "Status"],
    ["Role", "Role"],
    ["Manager", "Boss"],
    ["Job title", "Position"],
  ]) {
    await page.getByLabel(label, { exact: true }).selectOption(column);
  }
  const preview = page.getByRole("region", { name: "As the first rows would arrive" });
  assert.match(await preview.innerText(), /7 Sales, 99: no group/);
  assert.equal(await preview.getByRole("row").count(), 3);
  await part(page, preview, "matching-preview");
  await page.getByText("An empty cell keeps what is there. Where the field is required, its row is not processed.").waitFor();
  await button(page, "Done").click();
  await page.getByText("Files are read by version 1").waitFor();
  const table = page.getByRole("region", { name: "Matched fields" });
  const rows = (await table.getByRole("row").allInnerTexts()).slice(1).map((row) => row.split("\t"));
  assert.deepEqual(Object.fromEntries(rows.map(([field, , empty]) => [field, empty])), {
    "External ID": "the row is not processed",
    Email: "the row is not processed",
    "First Name": "the row is not processed",
    "Last Name": "the row is not processed",
    Status: "keeps it; new people are active",
    Role: "keeps the roles; new people are learners",
    Group: "adds to no group",
    Manager: "keeps the managers",
    "Job title": "keeps the value",
  });
});

test("what is wrong with a sample comes with what to do about it", async () => {
  const { page } = await mapped(null);
  await drop(page, "Email;First name\na@b.example;A\n", "semicolons.csv");
  const alert = page.getByRole("alert");
  await alert.getByText("Export the file with a comma between the columns.").waitFor();
  await alert.getByText("a comma as List separator").waitFor();
  await screen(page, "sample-semicolons");
});

test("a field may have any name", async () => {
  const { page, now } = await mapped(null, { custom_fields: [{ name: "constructor", label: "Constructor" }] });
  await drop(page, `${COLUMNS},Builder\nada@northwind.example,Ada,Lovelace,Cy\n`);
  assert.equal(await page.getByLabel("Constructor", { exact: true }).inputValue(), "");
  await page.getByLabel("Constructor", { exact: true }).selectOption("Builder");
  await button(page, "Done").click();
  await page.getByText("Files are read by version 1").waitFor();
  assert.equal((await now()).fields.find(({ column }) => column === "Builder").field, "constructor");
});

test("who leaves with matches that are not saved is asked", async () => {
  const { page } = await mapped({ columns: [...COLUMNS, "Boss"], fields: fields(REQUIRED) });
  const asked = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.message());
    return asked.length < 3 ? dialog.dismiss() : dialog.accept();
  });
  await button(page, "Change").click();
  // Nothing would be lost yet.
  await button(page, "Back").click();
  await button(page, "Change").click();
  await page.getByLabel("Manager", { exact: true }).selectOption("Boss");
  await page.getByRole("link", { name: "Audit" }).click();
  await button(page, "Back").click();
  assert.equal(await page.getByLabel("Manager", { exact: true }).inputValue(), "Boss");
  await button(page, "Back").click();
  await page.getByText("Files are read by version 1").waitFor();
  assert.deepEqual(asked, Array(3).fill("What you have matched is not saved. Leave without it?"));
});

test("whoever authorises the feed is told what files can do", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/mapping`);
  await heading(page, "Authorise the data feed");
  for (const deed of [/make users inactive/, /groups/, /roles, that of Administrator/]) await page.getByText(deed).waitFor();
  await button(page, "Authorise the data feed").click();
  await heading(page, "Data mapping");
  assert.equal((await api("GET", `/portals/${id}`)).feed.authorised, true);
});

test("what withdrawing ends is said", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "people.csv", people([0, 1, 2], id));
  assert.equal((await feed(id, "one.csv", people([0], id))).status, "held");
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/mapping`);
  await button(page, "Withdraw the authorisation").click();
  await page.getByRole("dialog").getByText("2 people would be made inactive").waitFor();
  await screen(page, "mapping-withdraw");
  assert.equal(page.url(), `${PAGE}/portals/${id}/mapping`);
});
