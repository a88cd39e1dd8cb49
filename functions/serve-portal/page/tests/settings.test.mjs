// When a file waits and who is told, as an administrator sets it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open, screen, signIn, start, stop } from "./browser.mjs";
import { api, fedPortal, feed, people } from "./cloud.mjs";

before(start);
after(stop);

const save = (page) => page.getByRole("button", { name: "Save" }).click();
const label = (page, name) => page.getByLabel(name, { exact: true });

async function settings(prepare = () => {}) {
  const { id, administrator } = await fedPortal();
  const page = await open();
  await prepare(page);
  await signIn(page, administrator, `/portals/${id}/settings`);
  await label(page, "People").waitFor();
  return { id, page, now: () => api("GET", `/portals/${id}/feed/settings`) };
}

test("what waits whatever is entered is said, and is so", async () => {
  const { id, page } = await settings();
  await page.getByText("more than half of the people whom the feed manages, where there are at least three").waitFor();
  await page.getByText("fewer than half the rows of the last file, where that one had at least 20").waitFor();
  await page.getByText("more of its rows than both of these numbers could not be processed").waitFor();
  await label(page, "Percent of the people whom the feed manages").fill("100");
  await label(page, "People").fill("10000000");
  await save(page);
  await page.getByText("Saved.").waitFor();
  await feed(id, "three.csv", people([0, 1, 2], id));
  assert.equal((await feed(id, "one.csv", people([0], id))).status, "held");
  assert.equal((await api("GET", `/portals/${id}`)).feed.held.reason, "too_many_disables");
});

test("a colleague's settings are shown before anything is saved, and one's own are kept", async () => {
  const { id, page, now } = await settings();
  await page.getByLabel("Expect a file every so many hours").fill("26");
  await label(page, "People").fill("7");
  const theirs = { ...(await now()), disable_limit_floor: 30, notify_emails: ["ann@northwind.example"] };
  await api("PUT", `/portals/${id}/feed/settings`, theirs);
  await save(page);
  await page.getByText("Somebody has changed the settings meanwhile. Nothing is saved yet.").waitFor();
  await page.getByText("People: now 30; yours, 7, takes its place if you save.").waitFor();
  await page.getByText("Email addresses: now ann@northwind.example.").waitFor();
  await screen(page, "settings-quicker");
  assert.deepEqual(await now(), theirs);
  assert.equal(await page.getByLabel("Email addresses, one a line").inputValue(), "ann@northwind.example");
  await save(page);
  await page.getByText("Saved.").waitFor();
  assert.deepEqual(await now(), { ...theirs, disable_limit_floor: 7, expect_file_every_hours: 26 });
});

test("where no mails are sent nobody is promised one", async () => {
  const { page } = await settings((page) =>
    page.route("**/config.json", async (route) => {
      const answer = await route.fetch();
      return route.fulfill({ response: answer, json: { ...(await answer.json()), mails: false } });
    }),
  );
  await page.getByText("No emails are sent here.").waitFor();
  assert.equal(await page.getByText("They hear of files").count(), 0);
  await screen(page, "settings-no-mails");
});

test("who leaves settings that are not saved is asked, and not once they are", async () => {
  const { page } = await settings();
  const asked = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.message());
    return dialog.dismiss();
  });
  await label(page, "People").fill("7");
  await page.getByRole("link", { name: "Audit" }).click();
  assert.equal(await label(page, "People").inputValue(), "7");
  await save(page);
  await page.getByText("Saved.").waitFor();
  await page.getByRole("link", { name: "Audit" }).click();
  await page.getByRole("heading", { name: "Audit" }).waitFor();
  assert.deepEqual(asked, ["The settings are not saved. Leave without saving?"]);
});
