// Where files are sent and by which key: that a secret is never lost without a word, and that what is printed works.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { open, part, screen, signIn, start, stop } from "./browser.mjs";
import { api, fedPortal, objects, people, run, stack } from "./cloud.mjs";

before(start);
after(stop);

const { FeedBucketName: BUCKET } = stack.outputs;
const generate = (page) => page.getByRole("button", { name: "Generate AWS credentials" }).click();

/** An administrator at the screen of credentials of a portal that has none yet. */
async function none() {
  const { id, administrator } = await fedPortal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/credentials`);
  await page.getByText("No credentials have been generated yet.").waitFor();
  return { id, page };
}

async function generated() {
  const { id, page } = await none();
  await generate(page);
  await page.getByText("Copy the secret key now.").waitFor();
  return { id, page };
}

/** Unfolds an example, and gives what is printed in it. */
async function example(page, name) {
  const shown = page.locator("details.snippet", { has: page.getByText(name, { exact: true }) });
  await shown.locator("summary").click();
  return shown;
}

test("only a refusal says that there is no new pair", async () => {
  const { page } = await none();
  const lost = page.getByText("A new key pair may have been generated, whose secret nobody has seen");
  const answers = [
    (route) => route.abort(),
    (route) => route.fulfill({ status: 500, json: { message: "Internal Server Error" } }),
    (route) => route.fulfill({ status: 503, json: { message: "Service Unavailable" } }),
    // It breaks off on its way.
    (route) => route.fulfill({ status: 200, contentType: "application/json", body: '{"access_key_id": "AK' }),
  ];
  for (const answer of answers) {
    await page.route("**/feed/credentials", (route) => (route.request().method() === "POST" ? answer(route) : route.continue()));
    await generate(page);
    await lost.waitFor();
    await page.unrouteAll();
    await page.reload();
    await page.getByText("No credentials have been generated yet.").waitFor();
  }
  const refusal = { type: "x", code: "off_boarding", title: "The portal is being given up.", detail: "Ask.", status: 409 };
  await page.route("**/feed/credentials", (route) =>
    route.request().method() === "POST" ? route.fulfill({ status: 409, json: refusal }) : route.continue(),
  );
  await generate(page);
  await page.getByText("The portal is being given up.").waitFor();
  assert.equal(await lost.count(), 0);
});

test("what is printed for Python and for the AWS CLI puts the file where it is read", async () => {
  const { id, page } = await generated();
  const folder = mkdtempSync(join(tmpdir(), "people-"));
  try {
    writeFileSync(join(folder, "people.csv"), people([0, 1], id));
    const python = await (await example(page, "Python")).locator("code").innerText();
    writeFileSync(join(folder, "send.py"), python);
    const cli = await (await example(page, "AWS CLI (macOS, Linux)")).locator("code").innerText();
    for (const [at, [command, args]] of [["python3", ["send.py"]], ["bash", ["-ec", cli]]].entries()) {
      await run(command, args, folder);
      assert.ok((await objects(id)).includes(`${id}/people.csv`));
      await applied(id, at + 1);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const { items } = await api("GET", `/portals/${id}/users`);
  assert.equal(items.length, 2);
});

/** Waits until so many files of a portal have been applied. */
async function applied(id, count) {
  for (let tries = 0; tries < 150; tries++) {
    const { items } = await api("GET", `/portals/${id}/uploads`);
    if (items.filter(({ status }) => status === "completed").length === count) return;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error(`${count} files have not been applied`);
}

test("each setting of a program is printed as its manual wants it, and is copied by itself", async () => {
  const { id, page } = await generated();
  const { access_key_id } = await api("GET", `/portals/${id}/feed/credentials`);
  const secret = await page.locator("dt", { hasText: "Secret key" }).locator("xpath=following-sibling::dd[1]").locator("code").innerText();
  const settings = async (name) => {
    const shown = await example(page, name);
    const names = await shown.locator("dt").allInnerTexts();
    const values = await shown.locator("dd code").allInnerTexts();
    return Object.fromEntries(names.map((name, at) => [name, values[at]]));
  };
  const key = { "Access key ID": access_key_id, "Secret access key": secret };
  const { region } = stack;
  assert.deepEqual(await settings("WinSCP"), {
    "File protocol": "Amazon S3",
    "Host name": `s3.${region}.amazonaws.com`,
    "Port number": "443",
    ...key,
    "Remote directory": `/${BUCKET}/${id}/`,
    "Default region": region,
  });
  // Without a region: that of the bucket is found out (docs.cyberduck.io, Connecting to a Single Bucket).
  assert.deepEqual(await settings("Cyberduck"), {
    Protocol: "Amazon S3",
    Server: `${BUCKET}.s3.amazonaws.com`,
    Port: "443",
    ...key,
    Path: `/${id}/`,
  });
  const powershell = await (await example(page, "PowerShell")).locator("code").innerText();
  assert.equal(
    powershell,
    `Write-S3Object -BucketName '${BUCKET}' -Key '${id}/people.csv' -File people.csv \`
  -Region ${region} -AccessKey '${access_key_id}' -SecretKey '${secret}'`,
  );
  await screen(page, "credentials-examples");
  await page.getByRole("button", { name: "Copy Path for Cyberduck" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `/${id}/`);
});

test("everything is handed over as one text, which says what it holds", async () => {
  const { id, page } = await generated();
  const shown = await example(page, "Copy all to hand over");
  await shown.getByText("It holds the secret key.").waitFor();
  await part(page, shown, "credentials-hand-over");
  await shown.getByRole("button", { name: "Copy all to hand over" }).click();
  const text = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(text, new RegExp(`s3://${BUCKET}/${id}/\\n[^]*Secret access key: +\\S{20,}\\n[^]*s3://${BUCKET}/${id}/rehearsal/`));
  // It is copied with it, and nobody is asked any more.
  await page.getByRole("button", { name: "Upload a file from this page" }).click();
  await page.getByRole("heading", { name: "Upload history" }).waitFor();
});

test("of a pair that is gone nobody is asked, and of a colleague's it is said whose it is", async () => {
  const { id, administrator } = await fedPortal();
  await api("POST", `/portals/${id}/feed/credentials`);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/credentials`);
  await api("POST", `/portals/${id}/feed/credentials`);
  await page.getByRole("button", { name: "Regenerate AWS credentials" }).click();
  await page.getByRole("dialog").getByText("Somebody else has just generated this key pair").waitFor();
  await screen(page, "regenerate-quicker");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.route("**/feed/credentials", (route) =>
    route.fulfill({ status: 404, json: { type: "x", code: "no_credentials", title: "None.", detail: "None.", status: 404 } }),
  );
  await page.getByRole("button", { name: "Regenerate AWS credentials" }).click();
  await page.getByText("No credentials have been generated yet.").waitFor();
  // A refusal is seen there, too.
  await page.unrouteAll();
  const refusal = { type: "x", code: "off_boarding", title: "The portal is being given up.", detail: "Ask.", status: 409 };
  await page.route("**/feed/credentials", (route) => route.fulfill({ status: 409, json: refusal }));
  await generate(page);
  await page.getByText("The portal is being given up.").waitFor();
});
