// A file from the page on its way, the history while files come, and what is said about an upload.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { csv, drawn, holding, open, screen, signIn, start, stop } from "./browser.mjs";
import { api, COLUMNS, fedPortal, feed, PAGE, people, portal } from "./cloud.mjs";

before(start);
after(stop);

const heading = (page, name) => page.getByRole("heading", { name, exact: true }).waitFor();
const figure = (page, name) => page.locator(".figure", { has: page.getByText(name, { exact: true }) }).locator("dd");
const EVERYBODY = Array.from({ length: 40 }, (_, at) => at);

/** The form, with a file chosen. */
async function choosing(page, text, name = "people.csv") {
  await page.getByRole("button", { name: "Upload a file" }).click();
  await page.getByLabel("CSV file").setInputFiles(csv(name, text));
}

/** A portal whose files need not have everybody. */
async function withoutAutoDisable() {
  const made = await portal();
  await api("PUT", `/portals/${made.id}/feed/authorisation`);
  const fields = ["email", "first_name", "last_name"].map((field, at) => ({ field, column: COLUMNS[at] }));
  await api("PUT", `/portals/${made.id}/feed/mapping`, { columns: COLUMNS, fields });
  return made;
}

test("a file whose sending was cancelled before it began is not sent", async () => {
  const { id, administrator } = await fedPortal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads`);
  await page.getByText("No file has come yet.").waitFor();
  const puts = [];
  await page.route(/people\.csv/, (route) => {
    puts.push(route.request().method());
    return route.continue();
  });
  // Cancelled while the page asks for the link, and while it looks at what is there.
  for (const [url, method] of [
    ["**/uploads", "POST"],
    ["**/uploads?limit=20", "GET"],
  ]) {
    const call = await holding(page, url, method);
    await choosing(page, people([0, 1], id));
    await page.getByLabel("Rehearsal").uncheck();
    await page.getByRole("button", { name: "Upload and apply" }).click();
    await call.arrived;
    await page.getByRole("button", { name: "Cancel" }).click();
    const last = page.waitForResponse((response) => response.url().endsWith("/uploads?limit=20"));
    call.release();
    await (await last).finished();
    await drawn(page);
    assert.deepEqual(puts, []);
    await page.unroute(url);
  }
});

test("of two files of one name, the page goes on with the one that it has sent", async () => {
  const { id, administrator } = await fedPortal();
  const first = await feed(id, "people.csv", people([0, 1], id));
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads`);
  await choosing(page, people([0, 1, 2], id));
  await page.getByLabel("Rehearsal").uncheck();
  await page.getByRole("button", { name: "Upload and apply" }).click();
  await heading(page, "What it did");
  assert.ok(!page.url().includes(first.upload_id));
  assert.equal(await figure(page, "Created").innerText(), "1");
});

test("a file that was sent is not offered to be sent again, whoever cannot be reached then", async () => {
  const { id, administrator } = await fedPortal();
  const page = await open();
  await page.clock.install();
  await signIn(page, administrator, `/portals/${id}/uploads`);
  await page.getByText("No file has come yet.").waitFor();
  const put = page.waitForResponse((response) => response.request().method() === "PUT");
  let asked = 0;
  let down = false;
  await page.route("**/uploads?limit=20", (route) => {
    if (!down) return route.continue();
    asked += 1;
    return route.abort();
  });
  await page.route(/people\.csv/, async (route) => {
    down = true;
    return route.continue();
  });
  await choosing(page, people([0, 1], id));
  await page.getByRole("button", { name: "Rehearse" }).click();
  await put;
  await page.getByText("Sent. Waiting for the feed to take it…").waitFor();
  while (!(await page.getByText("The file was sent.").isVisible())) {
    await page.clock.runFor(1000);
    await drawn(page);
    assert.ok(asked < 100);
  }
  assert.equal(await page.getByRole("button", { name: "Rehearse" }).count(), 0);
  assert.equal(await page.getByText("Go1 cannot be reached.").count(), 0);
  await page.getByRole("button", { name: "Close" }).waitFor();
});

test("what a file would do to those who are not in it is known before it can be applied", async () => {
  const { id, administrator } = await fedPortal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads`);
  await page.route("**/feed/mapping", (route) => route.fulfill({ status: 503, json: {} }));
  await choosing(page, people([0, 1], id));
  const apply = page.getByRole("button", { name: "Upload and apply" });
  await page.getByRole("alert").waitFor();
  assert.equal(await page.getByRole("button", { name: "Rehearse" }).isDisabled(), false);
  await page.getByLabel("Rehearsal").uncheck();
  assert.equal(await apply.isDisabled(), true);
  await page.unroute("**/feed/mapping");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("Everybody whom the feed manages and who is missing").waitFor();
  assert.equal(await apply.isDisabled(), false);
});

test("a file that is too large is told before it is sent, and why the bucket does not take one after", async () => {
  const { id, administrator } = await fedPortal();
  const page = await open();
  await page.route("**/config.json", async (route) => {
    const answer = await route.fetch();
    return route.fulfill({ json: { ...(await answer.json()), max_file_bytes: 1000 } });
  });
  await signIn(page, administrator, `/portals/${id}/uploads`);
  await choosing(page, people(EVERYBODY, id));
  await page.getByText("The file is too large.").waitFor();
  await page.getByText(/and the feed takes 1 kB/).waitFor();
  assert.equal(await page.getByRole("button", { name: "Rehearse" }).isDisabled(), true);
  await screen(page, "upload-too-large");
  await page.getByLabel("CSV file").setInputFiles(csv("people.csv", people([0], id)));
  for (const [status, said] of [
    [403, "The permission to send it has run out."],
    [400, "It may be larger than what can be sent from a page."],
    [503, "The file did not get through."],
  ]) {
    await page.route(/people\.csv/, (route) =>
      route.request().method() === "PUT" ? route.fulfill({ status }) : route.continue(),
    );
    await page.getByRole("button", { name: "Rehearse" }).click();
    await page.getByRole("alert").getByText(said).waitFor();
    await page.unroute(/people\.csv/);
  }
});

test("while a file is processed, it alone is asked about", async () => {
  const { id, administrator } = await fedPortal();
  const upload = await feed(id, "people.csv", people([0, 1], id));
  const page = await open();
  const running = { ...upload, status: "applying", progress_percent: 5 };
  const asked = { list: 0, one: 0 };
  let progress = 5;
  await page.route("**/uploads?limit=30", (route) => {
    asked.list += 1;
    return route.fulfill({ json: { items: [{ ...upload, upload_id: "01KAPTA7HZ0000000000000000" }, running], cursor: null } });
  });
  await page.route(`**/uploads/${upload.upload_id}`, (route) => {
    if (!route.request().headers().authorization) return route.continue();
    asked.one += 1;
    return route.fulfill({ json: progress < 100 ? { ...running, progress_percent: progress } : upload });
  });
  await signIn(page, administrator, `/portals/${id}/uploads`);
  const bar = page.getByRole("progressbar", { name: "Progress of people.csv" });
  for (progress of [25, 50, 75]) await page.waitForFunction((at) => document.querySelector("progress")?.value === at, progress);
  progress = 100;
  await bar.waitFor({ state: "detached" });
  assert.equal(asked.list, 1);
  assert.equal(asked.one, 4);
});

test("nothing is asked while nobody looks", async () => {
  const { id, administrator } = await fedPortal();
  const upload = await feed(id, "people.csv", people([0, 1], id));
  const page = await open();
  await page.clock.install();
  let asked = 0;
  await page.route(`**/uploads/${upload.upload_id}`, (route) => {
    if (!route.request().headers().authorization) return route.continue();
    asked += 1;
    return route.fulfill({ json: { ...upload, status: "applying", progress_percent: asked } });
  });
  await signIn(page, administrator, `/portals/${id}/uploads/${upload.upload_id}`);
  await page.getByText("Updating users: 1%").waitFor();
  const look = (hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await look(true);
  const before = asked;
  await page.clock.runFor(60_000);
  await drawn(page);
  assert.equal(asked, before);
  await look(false);
  await page.getByText(`Updating users: ${before + 1}%`).waitFor();
});

test("what a portal's overview asks for stays small, however much is wrong with its files", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "people.csv", people([0, 1], id));
  const page = await open();
  const asked = [];
  page.on("request", (request) => /\/uploads/.test(request.url()) && asked.push(new URL(request.url()).search));
  await signIn(page, administrator, `/portals/${id}`);
  await page.getByRole("heading", { name: "Latest upload" }).waitFor();
  assert.deepEqual(asked.filter((search) => search.includes("limit")), ["?limit=1"]);
});

test("a rehearsal counts what would wait, is not said to be done, and leads on to the file itself", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "everybody.csv", people(EVERYBODY, id));
  const few = people(EVERYBODY.slice(0, 12), id);
  const { upload_id } = await feed(id, "few.csv", few, { rehearsal: true });
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads/${upload_id}`);
  await heading(page, "What it would do");
  assert.equal(await figure(page, "Would wait for a decision").innerText(), "28");
  assert.equal(await page.locator(".badge", { hasText: /^Done/ }).count(), 0);
  await page.getByRole("button", { name: "Rehearse again" }).click();
  assert.match(await page.getByRole("dialog").innerText(), /Nobody is changed/);
  assert.doesNotMatch(await page.getByRole("dialog").innerText(), /too late/);
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Apply this file" }).click();
  await page.getByText("The rehearsal of few.csv said: 28 would wait for a decision. Choose the same file.").waitFor();
  assert.equal(await page.getByLabel("Rehearsal").isChecked(), false);
  await screen(page, "upload-apply");
  // On the overview, too, it is no file that was applied.
  await page.goto(`${PAGE}/portals/${id}`);
  await page.getByRole("link", { name: /few\.csv/ }).getByText("Rehearsal").waitFor();
});

test("who rejects is told what the next file may do", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "everybody.csv", people(EVERYBODY, id));
  const { upload_id } = await feed(id, "few.csv", people([0, 1], id));
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads/${upload_id}`);
  await page.getByRole("button", { name: "Reject" }).first().click();
  const question = page.getByRole("dialog", { name: "Reject 38 changes?" });
  await question.getByText("may make them inactive without asking").waitFor();
  await screen(page, "held-reject");
  await question.getByRole("link", { name: "Data mapping" }).click();
  await heading(page, "Data mapping");
});

test("those who would be made inactive and those who would be created are apart", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "everybody.csv", people(EVERYBODY, id));
  // A new mail domain: the same people once more.
  const { upload_id, held } = await feed(id, "moved.csv", people(EVERYBODY, `new-${id}`));
  assert.deepEqual([held.disables, held.creates], [40, 40]);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads/${upload_id}`);
  await page.getByRole("region", { name: "Would be made inactive" }).waitFor();
  await page.getByText(/^50 people of 80 are shown/).waitFor();
  await page.getByRole("button", { name: "Show more" }).click();
  const emails = async (name) => {
    const rows = await page.getByRole("region", { name }).getByRole("row").allInnerTexts();
    return rows.slice(1).map((row) => row.split("@")[1].trim());
  };
  await page.getByText(/people of 80 are shown/).waitFor({ state: "detached" });
  assert.deepEqual(await emails("Would be made inactive"), Array(40).fill(`${id}.example`));
  assert.deepEqual(await emails("Would be created"), Array(40).fill(`new-${id}.example`));
  await screen(page, "held-both");
  await page.getByRole("button", { name: "Approve" }).first().click();
  await page.getByRole("dialog", { name: "Make 40 people inactive, and create 40 people?" }).waitFor();
});

test("a decision that a newer file has taken is told", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "everybody.csv", people(EVERYBODY, id));
  const { upload_id } = await feed(id, "few.csv", people([0, 1], id));
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads/${upload_id}`);
  await page.getByRole("button", { name: "Approve" }).first().click();
  await feed(id, "everybody-again.csv", people(EVERYBODY, id));
  await page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
  await page.getByText("28 changes had been held back.").or(page.getByText("38 changes had been held back.")).waitFor();
  assert.equal(await page.getByRole("button", { name: "Approve" }).count(), 0);
  const { items } = await api("GET", `/portals/${id}/users?limit=100`);
  assert.ok(items.every(({ status }) => status === "active"));
});

test("a row with two mistakes shows the wrong value behind its own mistake", async () => {
  const { id, administrator } = await withoutAutoDisable();
  const { upload_id } = await feed(id, "people.csv", `${COLUMNS.join(",")}\nno address,Ada,\n`);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads/${upload_id}`);
  const said = await page.locator(".problem li").innerText();
  assert.match(said, /^Row 2, .?Email.*no address Row 2, .?Last name.*$/s);
  // Without auto-disable the corrected rows may come alone.
  await page.getByText("Correct them and send the file: it works as any other.").waitFor();
  await page.getByRole("button", { name: "Process again" }).click();
  await page.getByText("If a newer file of the same name was applied since").waitFor();
});

test("what was refused is processed again where that can help", async () => {
  const { id, administrator } = await fedPortal();
  const semicolons = await feed(id, "semicolons.csv", people([0, 1], id).replaceAll(",", ";"));
  const missing = await feed(id, "no-names.csv", `Email\nada@${id}.example\n`);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads/${semicolons.upload_id}`);
  await page.getByRole("button", { name: "Download the report" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Process again" }).count(), 0);
  await page.goto(`${PAGE}/portals/${id}/uploads/${missing.upload_id}`);
  await page.getByRole("button", { name: "Process again" }).click();
  await page.getByRole("dialog").getByText("If a newer file was applied since").waitFor();
});

test("the bars of the chart are as high as what they stand for, in the colours of the legend", async () => {
  const { id, administrator } = await fedPortal();
  const upload = await feed(id, "people.csv", people([0, 1], id));
  const none = { ...upload.rows, created: 0, updated: 0, disabled: 0, not_processed: 0 };
  let nights = [
    { rows: { ...none, created: 40 } },
    { rows: { ...none, updated: 30 }, others: { updated: 10, disabled: 0 } },
    { rows: { ...none, disabled: 5 }, others: { updated: 0, disabled: 15 } },
    { rows: { ...none, not_processed: 10 } },
  ];
  const page = await open();
  await page.route("**/uploads?limit=30", (route) => {
    const items = nights.map((night, at) => ({
      ...upload,
      others: { updated: 0, disabled: 0 },
      ...night,
      upload_id: `01KAPTA7HZ000000000000000${9 - at}`,
      received_at: `2026-10-0${9 - at}T01:30:00Z`,
    }));
    return route.fulfill({ json: { items, cursor: null } });
  });
  await signIn(page, administrator, `/portals/${id}/uploads`);
  await page.locator(".chart canvas").waitFor();
  /** Of each series: from where to where its colour is, from the left and in height. */
  const bars = () =>
    page.evaluate(() => {
      const canvas = document.querySelector(".chart canvas");
      const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const style = getComputedStyle(document.documentElement);
      return ["created", "updated", "disabled", "not-processed"].map((name) => {
        const hex = style.getPropertyValue(`--${name}`).trim().slice(1);
        const wanted = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
        const xs = [];
        const ys = new Set();
        for (let at = 0; at < data.length; at += 4) {
          if (!wanted.every((part, of) => data[at + of] === part)) continue;
          xs.push((at / 4) % width);
          ys.add(Math.floor(at / 4 / width));
        }
        return { left: Math.min(...xs), right: Math.max(...xs), high: ys.size / height };
      });
    });
  const [created, updated, disabled, lost] = await bars();
  // The oldest is on the left.
  assert.ok(lost.right < disabled.left && disabled.right < updated.left && updated.right < created.left);
  const near = (one, other) => assert.ok(Math.abs(one / other - 1) < 0.06, `${one} and ${other}`);
  near(updated.high, created.high);
  near(disabled.high, created.high / 2);
  near(lost.high, created.high / 4);
  assert.equal(await page.getByText(/is cut off/).count(), 0);

  // A first load would leave nothing to be seen of the others.
  nights = [...nights.slice(0, 3), { rows: { ...none, not_processed: 4_000 } }];
  await page.reload();
  await page.getByText(/is cut off; it stands for 4,000\./).waitFor();
  const cut = await bars();
  near(cut[0].high, cut[1].high);
  near(cut[2].high, cut[0].high / 2);
  assert.ok(cut[3].high > cut[0].high, "the cut bar is the highest");
  assert.ok(cut[3].high < 1.25 * cut[0].high, "and has a gap");
});
