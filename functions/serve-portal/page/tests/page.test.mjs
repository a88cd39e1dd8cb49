// What holds for the page as a whole: who sees what, what happens when something goes wrong, how much is transferred.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open, screen, signIn, start, stop } from "./browser.mjs";
import { api, COLUMNS, fedPortal, feed, operator, PAGE, people, portal } from "./cloud.mjs";

before(start);
after(stop);

test("the first view is under 150 kB, and what browsers keep is not sent again", async () => {
  const page = await open();
  const client = await page.context().newCDPSession(page);
  await client.send("Network.enable");
  let sent = 0;
  client.on("Network.loadingFinished", ({ encodedDataLength }) => (sent += encodedDataLength));
  await page.goto(PAGE);
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await page.waitForLoadState("networkidle");
  console.log(`first view: ${sent} bytes`);
  assert.ok(sent > 20_000 && sent < 150_000, `${sent} bytes`);
  sent = 0;
  await page.goto(`${PAGE}/portals`);
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await page.waitForLoadState("networkidle");
  assert.ok(sent < 5_000, `${sent} bytes the second time`);
  const { id, administrator } = await portal();
  await signIn(page, administrator);
  sent = 0;
  await page.goto(`${PAGE}/portals/${id}`);
  await page.getByRole("heading", { name: "Northwind Traders" }).waitFor();
  await page.waitForLoadState("networkidle");
  console.log(`first view of who is signed in: ${sent} bytes`);
  assert.ok(sent > 500 && sent < 30_000, `${sent} bytes signed in`);
});

test("nothing of the page runs in a frame, or from elsewhere", async () => {
  const answer = await fetch(PAGE);
  const policy = answer.headers.get("content-security-policy");
  assert.match(policy, /^default-src 'self';/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
  assert.equal(answer.headers.get("cache-control"), "no-cache");
  const html = await answer.text();
  assert.doesNotMatch(html, /<script(?![^>]* src=)|<style| style=| on\w+=/);
  const [, script] = /src="\.\/([^"]+\.js)"/.exec(html);
  const asset = await fetch(`${PAGE}/${script}`, { headers: { "accept-encoding": "br" } });
  assert.equal(asset.headers.get("content-encoding"), "br");
  assert.match(asset.headers.get("cache-control"), /immutable/);
  const gone = await fetch(`${PAGE}/index-of-yesterday.js`);
  assert.equal(gone.status, 404);
});

test("who signs out is signed out", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  await page.getByText(administrator.email).first().click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in to your portal" }).waitFor();
  assert.equal(await page.evaluate(() => Object.values(sessionStorage).join("").includes("id_token")), false);
  // Back is to nothing of before.
  await page.goBack();
  await page.getByRole("heading", { name: "Sign in to your portal" }).waitFor();
  assert.equal(await page.getByText(administrator.email).count(), 0);
});

test("who signs out gives back what renews a session", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  const revoked = page.waitForRequest(/\/oauth2\/revoke$/);
  await page.getByText(administrator.email).first().click();
  await page.getByRole("button", { name: "Sign out" }).click();
  const sent = new URLSearchParams((await revoked).postData());
  assert.equal(sent.get("token_type_hint"), "refresh_token");
  assert.ok(sent.get("token"));
});

test("a session that has ended is begun anew where it was", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/audit`);
  await page.getByRole("heading", { name: "Audit" }).waitFor();
  await page.goto(`${PAGE}/portals/${id}/settings`);
  await page.getByLabel("Email addresses, one a line").fill("typed@northwind.example");
  // As after the token's hours, when the pool gives no other either.
  await page.route("**/portals/**", (route) =>
    route.request().headers().authorization
      ? route.fulfill({ status: 401, json: { message: "Unauthorized" } })
      : route.continue(),
  );
  await page.route("**/oauth2/token", (route) => route.fulfill({ status: 400, json: { error: "invalid_grant" } }));
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
  // What was typed is there still, to be copied.
  await page.getByRole("button", { name: "Not yet" }).click();
  assert.equal(await page.getByLabel("Email addresses, one a line").inputValue(), "typed@northwind.example");
  page.once("dialog", (dialog) => dialog.accept());
  await page.getByRole("link", { name: "Users" }).click();
  await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
  await screen(page, "session-ended");
  await page.unrouteAll();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Username").fill(administrator.email);
  await page.getByLabel("Password").fill(administrator.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("There is nobody yet.").waitFor();
  assert.equal(page.url(), `${PAGE}/portals/${id}/users`);
});

test("a token that the API does not take any more is renewed without a word", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  await page.getByRole("heading", { name: "Northwind Traders" }).waitFor();
  const refused = [];
  await page.route("**/portals/*/audit*", (route) => {
    if (refused.length > 0) return route.continue();
    refused.push(route.request().headers().authorization.replace("Bearer ", ""));
    return route.fulfill({ status: 401, json: { message: "Unauthorized" } });
  });
  // Of what Cognito answers then the local cloud leaves out the groups.
  const asked = [];
  await page.route("**/oauth2/token", (route) => {
    asked.push(new URLSearchParams(route.request().postData()).get("grant_type"));
    const [id_token] = refused;
    return route.fulfill({ json: { id_token, access_token: "renewed", token_type: "Bearer", expires_in: 3600 } });
  });
  await page.getByRole("link", { name: "Audit" }).click();
  await page.getByText("set the portal up").waitFor();
  assert.deepEqual(asked, ["refresh_token"]);
  assert.equal(refused.length, 1);
});

test("a connection that is lost ends no session, and one renewal is enough for all", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/audit`);
  await page.getByText("set the portal up").waitFor();
  let token;
  await page.route("**/portals/**", (route) => {
    const { authorization } = route.request().headers();
    if (!authorization || token) return route.continue();
    return route.fulfill({ status: 401, json: { message: "Unauthorized" } });
  });
  await page.route("**/oauth2/token", (route) => route.abort());
  await page.getByRole("navigation").getByRole("link", { name: "Overview" }).first().click();
  await page.getByText("Go1 cannot be reached.").waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0);
  await page.unroute("**/oauth2/token");
  let asked = 0;
  await page.route("**/oauth2/token", async (route) => {
    asked += 1;
    await new Promise((done) => setTimeout(done, 300));
    token = await page.evaluate(() => {
      const key = Object.keys(sessionStorage).find((key) => key.startsWith("oidc.user:"));
      return JSON.parse(sessionStorage.getItem(key)).id_token;
    });
    return route.fulfill({ json: { id_token: token, access_token: "renewed", token_type: "Bearer", expires_in: 3600 } });
  });
  // The overview asks three things at the same time.
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Northwind Traders" }).waitFor();
  assert.equal(asked, 1);
});

test("an old token is renewed before the page asks for a sign-in", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  await page.getByRole("heading", { name: "Northwind Traders" }).waitFor();
  // The way to the start has no slash at its end: the gateway has no route to that.
  const { pathname } = new URL(PAGE);
  assert.equal(await page.locator("a.brand").getAttribute("href"), pathname);
  const id_token = await page.evaluate(() => {
    const key = Object.keys(sessionStorage).find((key) => key.startsWith("oidc.user:"));
    const user = JSON.parse(sessionStorage.getItem(key));
    sessionStorage.setItem(key, JSON.stringify({ ...user, expires_at: 1 }));
    return user.id_token;
  });
  const asked = [];
  await page.route("**/oauth2/token", (route) => {
    asked.push(new URLSearchParams(route.request().postData()).get("grant_type"));
    return route.fulfill({ json: { id_token, access_token: "renewed", token_type: "Bearer", expires_in: 3600 } });
  });
  await page.reload();
  await page.getByRole("heading", { name: "Northwind Traders" }).waitFor();
  assert.deepEqual(asked, ["refresh_token"]);
});

test("who comes from changing a password signs in with it", async () => {
  const page = await open();
  await page.goto(`${PAGE}?code=of-nothing-that-was-begun-here`);
  await page.getByLabel("Username").waitFor();
});

test("a way back from signing in that is none says so", async () => {
  const page = await open();
  await page.goto(`${PAGE}?error=access_denied&state=unknown`);
  await page.getByText("Signing in did not work.").waitFor();
  await screen(page, "sign-in-failed");
});

test("what is down is said to be down, and asked again", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  await page.route("**/portals/*/audit*", (route) => route.abort());
  await page.getByRole("link", { name: "Audit" }).click();
  await page.getByText("Go1 cannot be reached.").waitFor();
  await screen(page, "unreachable");
  await page.unrouteAll();
  await page.route("**/portals/*/audit*", (route) => route.fulfill({ status: 503, json: { message: "Service Unavailable" } }));
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("Something went wrong on our side.").waitFor();
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("set the portal up").waitFor();
});

test("a file that is not accepted says why, and what to do", async () => {
  const { id, administrator } = await fedPortal();
  const refused = await feed(id, "semicolons.csv", people([0, 1], id).replaceAll(",", ";"));
  assert.equal(refused.status, "rejected");
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/uploads/${refused.upload_id}`);
  await page.getByRole("heading", { name: "Why it was not accepted" }).waitFor();
  await page.getByText("Export the file with a comma between the columns.").waitFor();
  await screen(page, "upload-refused");
});

test("an administrator sees the own portal alone", async () => {
  const [own, other] = [await portal(), await portal()];
  const page = await open();
  await signIn(page, own.administrator, `/portals/${other.id}/users`);
  await page.getByRole("alert").waitFor();
  await page.goto(`${PAGE}/portals`);
  await page.getByText("This is for Go1 staff.").waitFor();
});

test("operators see every portal, and who waits for a decision", async () => {
  const { id } = await fedPortal();
  const everybody = Array.from({ length: 30 }, (_, at) => at);
  await feed(id, "everybody.csv", people(everybody, id));
  await feed(id, "few.csv", people([0, 1], id));
  const page = await open();
  await signIn(page, await operator());
  await page.getByRole("region", { name: "Portals" }).waitFor();
  await screen(page, "portals");
  // Looked for among all, on however many pages they are.
  await page.getByLabel("Name or number of a portal").fill(id);
  const line = page.getByRole("row", { name: new RegExp(id) });
  await page.getByLabel("Only those that want attention").check();
  await line.getByText("28 people held").click();
  await page.getByText("28 people would be made inactive.").first().waitFor();
});

test("it is used by keyboard alone, on a small screen", async () => {
  const { id, administrator } = await portal();
  const page = await open({ width: 360, height: 640 });
  await signIn(page, administrator, `/portals/${id}`);
  await page.getByRole("heading", { name: "Northwind Traders" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "content");
  const menu = page.getByRole("button", { name: "Menu" });
  await menu.focus();
  await page.keyboard.press("Enter");
  await screen(page, "menu");
  await page.getByRole("link", { name: "Audit" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Audit" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.id), "content");
  assert.equal(await page.title(), "Audit · Go1");
  assert.equal(await menu.getAttribute("aria-expanded"), "false");
});

test("dates and numbers are the reader's", async () => {
  const { id, administrator } = await portal();
  const page = await open({ locale: "de-DE" });
  await signIn(page, administrator, `/portals/${id}/audit`);
  await page.getByText(/\d{2}\.\d{2}\.\d{4}, \d{2}:\d{2}/).first().waitFor();
});

test("an address that nothing is at says so", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}/nothing`);
  await page.getByRole("heading", { name: "There is no such page" }).waitFor();
  for (const path of ["/portals/0", "/portals/12%2F..%2F13/users", `/portals/${id}/uploads/nothing`, `/portals/${id}/users/1`]) {
    await page.goto(PAGE + path);
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
  }
  await page.goto(`${PAGE}/portals/${id}/uploads/01KAPTA7HZ0000000000000000`);
  await page.getByRole("alert").waitFor();
});

test("long names and large numbers fit", async () => {
  const { id, administrator } = await fedPortal();
  const long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk".repeat(3);
  await api("PUT", `/portals/${id}`, { name: long, country: "AU", groups: [{ id: 7, name: long }] });
  const address = `${"a".repeat(60)}@${"b".repeat(60)}.example`;
  const upload = await feed(id, `${long}.csv`, `${COLUMNS.join(",")}\n${address},${long},${long}\nno address,${long},\n`);
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  await page.getByRole("heading", { name: long }).waitFor();
  await screen(page, "long-overview");
  await page.goto(`${PAGE}/portals/${id}/uploads/${upload.upload_id}`);
  await page.getByRole("heading", { name: "What it did" }).waitFor();
  await screen(page, "long-upload");
  await page.goto(`${PAGE}/portals/${id}/users`);
  await page.getByRole("link", { name: `${long} ${long}`, exact: true }).click();
  await page.getByText("Managed by the data feed").waitFor();
  await screen(page, "long-user");

  // Years of nights, each with as many as a large company has.
  const nights = Array.from({ length: 30 }, (_, at) => ({
    ...upload,
    upload_id: `01KAPTA7HZ00000000000000${String(at).padStart(2, "0")}`,
    file_name: "people.csv",
    received_at: new Date(Date.UTC(2026, 9, 30 - at, 1, 30)).toISOString(),
    status: at === 11 ? "rejected" : at % 7 === 3 ? "completed_with_problems" : "completed",
    rows:
      at === 11
        ? { ...upload.rows, created: 0, updated: 0, not_processed: 0 }
        : {
            ...upload.rows,
            created: at === 29 ? 981_204 : 40 * at,
            updated: 9_000 + 700 * (at % 5),
            not_processed: at % 7 === 3 ? 3_127 : 0,
          },
    others: { disabled: at === 11 ? 0 : 25 * (at % 9), updated: 0 },
  }));
  await page.route("**/uploads?limit=30*", (route) => {
    const cursor = new URL(route.request().url()).searchParams.get("cursor");
    return route.fulfill({ json: { items: nights, cursor: cursor === "330" ? null : String(Number(cursor ?? 0) + 1) } });
  });
  await page.goto(`${PAGE}/portals/${id}/uploads`);
  await page.getByText("981,204").waitFor();
  await screen(page, "uploads-many");
  for (const count of [60, 90]) {
    await page.getByRole("button", { name: "Show more" }).click();
    await page.waitForFunction((count) => document.querySelectorAll("tbody tr").length === count, count);
  }
});

test("the progress of a file is told while it is processed", async () => {
  const { id, administrator } = await fedPortal();
  const upload = await feed(id, "people.csv", people([0, 1], id));
  const page = await open();
  // Where the file is; `null`: nobody can be asked.
  let step = ["queued", 0];
  await page.route(`**/uploads/${upload.upload_id}`, async (route) => {
    if (!route.request().headers().authorization) return route.continue();
    if (!step) return route.abort();
    const [status, progress_percent] = step;
    return route.fulfill({ json: { ...upload, status, progress_percent, report_ready: status === "completed" } });
  });
  await signIn(page, administrator, `/portals/${id}/uploads/${upload.upload_id}`);
  await page.getByText("Waiting its turn: 0%").waitFor();
  step = ["scanning", 12];
  await page.getByText("Reading the file: 12%").waitFor();
  // What is shown stays when there is no answer, and it is asked again.
  step = null;
  await page.getByText("Go1 cannot be reached.").waitFor();
  assert.equal(await page.getByText("Reading the file: 12%").isVisible(), true);
  step = ["applying", 64];
  await page.getByText("Updating users: 64%").waitFor();
  assert.equal(await page.getByRole("progressbar", { name: "Progress" }).getAttribute("value"), "64");
  step = ["completed", 100];
  await page.getByRole("heading", { name: "What it did" }).waitFor();
});

test("older uploads stay while the newest are asked about", async () => {
  const { id, administrator } = await fedPortal();
  const upload = await feed(id, "people.csv", people([0, 1], id));
  const made = (at) => ({
    ...upload,
    upload_id: `01KAPTA7HZ00000000000000${at}`,
    file_name: `night-${at}.csv`,
    rehearsal: at % 2 === 0,
  });
  const nights = Array.from({ length: 36 }, (_, at) => made(99 - at));
  let polled = 0;
  const page = await open();
  await page.route("**/uploads?limit=30*", (route) => {
    if (new URL(route.request().url()).searchParams.has("cursor")) {
      polled = 1;
      return route.fulfill({ json: { items: nights.slice(31), cursor: null } });
    }
    return route.fulfill({ json: { items: polled ? nights.slice(0, 30) : nights.slice(1, 31), cursor: "older" } });
  });
  await page.clock.install();
  await signIn(page, administrator, `/portals/${id}/uploads`);
  // Bars of what has changed somebody alone.
  await page.getByText("The last 15 uploads, rehearsals aside").waitFor();
  assert.equal(await page.getByText("night-99.csv").count(), 0);
  await page.getByRole("button", { name: "Show more" }).click();
  await page.getByText("night-64.csv").waitFor();
  await page.clock.fastForward(20_000);
  await page.getByText("night-99.csv").waitFor();
  assert.equal(await page.locator("tbody tr").count(), 36);
  assert.equal(await page.getByRole("button", { name: "Show more" }).count(), 0);
});

test("a name is looked for until a page is full, and nobody has to wait for it", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "people.csv", people([0], id));
  const { items } = await api("GET", `/portals/${id}/users`);
  const page = await open();
  let asked = 0;
  let pause = 0;
  // As of a large portal, where the API looks through 5,000 at a time.
  await page.route("**/users?*name=*", async (route) => {
    asked += 1;
    await new Promise((done) => setTimeout(done, pause));
    const found = asked % 4 === 0 ? items : [];
    return route.fulfill({ json: { items: found, cursor: asked % 4 === 0 ? null : `after-${asked}` } });
  });
  await signIn(page, administrator, `/portals/${id}/users`);
  await page.getByLabel("Name or email address").fill("amelia");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("link", { name: "Amelia Person0", exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  assert.equal(asked, 4);
  pause = 800;
  await page.getByLabel("Name or email address").fill("amel");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByText("Looking through all users; 0 are found so far…").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Show more" }).waitFor();
  await page.getByText("Nobody among the first users.").waitFor();
});

test("what looks like a button is worked like one, and the focus is never lost", async () => {
  const { id, administrator } = await fedPortal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  await page.getByRole("button", { name: "Get credentials" }).focus();
  await page.keyboard.press("Space");
  await page.getByRole("heading", { name: "AWS credentials" }).waitFor();
  await page.goto(`${PAGE}/portals/${id}/mapping`);
  await page.getByRole("button", { name: "Withdraw the authorisation" }).click();
  let release;
  const held = new Promise((done) => (release = done));
  await page.route("**/feed/authorisation", async (route) => {
    await held;
    return route.continue();
  });
  await page.getByRole("dialog").getByRole("button", { name: "Withdraw" }).click();
  // What is being carried out is not cancelled.
  for (const _ of [1, 2, 3]) await page.keyboard.press("Escape");
  assert.equal(await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).isDisabled(), true);
  release();
  await page.getByRole("heading", { name: "Authorise the data feed" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.id === "content");
});

test("a manager who was erased is said to be none, and is not taken away by another change", async () => {
  const { id, administrator } = await fedPortal();
  await feed(id, "people.csv", people([0, 1], id));
  const { items } = await api("GET", `/portals/${id}/users`);
  const [first, other] = items;
  await api("PATCH", `/portals/${id}/users/${first.user_id}`, { manager_ids: [other.user_id] });
  const page = await open();
  await page.route(`**/users/${other.user_id}`, (route) =>
    route.fulfill({ status: 404, json: { type: "x", code: "user_not_found", title: "T", detail: "D", status: 404 } }),
  );
  await signIn(page, administrator, `/portals/${id}/users/${first.user_id}`);
  await page.getByText("1 who is not in the portal any more").waitFor();
  await page.getByRole("button", { name: "Change" }).click();
  await page.getByLabel("Last name").fill("Changed");
  const sent = page.waitForRequest((request) => request.method() === "PATCH");
  await page.getByRole("button", { name: "Save" }).click();
  assert.deepEqual(JSON.parse((await sent).postData()), { last_name: "Changed" });
});

test("an import that runs, and people for whom there is no place, are shown", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  const about = await api("GET", `/portals/${id}/xero`);
  const upload_id = "01KAPTA7HZ0000000000000000";
  const last_import = { upload_id, status: "applying", finished_at: null };
  const answer = { ...about, state: "importing", imported: 198, places: 200, places_left: 2, last_import };
  await page.route(`**/portals/${id}/xero`, (route) =>
    route.request().headers().authorization ? route.fulfill({ json: answer }) : route.continue(),
  );
  await signIn(page, administrator, `/portals/${id}/xero`);
  await page.getByText("An import is running.").waitFor();
  await page.getByRole("link", { name: "Look how far it has come" }).waitFor();
  await screen(page, "xero-importing");
  const person = (at) => ({
    employee_id: `00000000-0000-4000-8000-00000000000${at}`,
    first_name: "Amelia",
    last_name: `Person${at}`,
    email: `amelia.${at}@${id}.example`,
  });
  const preview = {
    organisation: { tenant_id: person(0).employee_id, name: "Harbour Café", country: "AU" },
    source: "employees",
    source_note: "These are the employees.",
    places_left: 2,
    to_import: [person(1), person(2)],
    already_users: [{ ...person(5), user_id: person(5).employee_id }],
    cannot_import: [],
    outside_places: [person(3), person(4)],
  };
  await page.route(`**/portals/${id}/xero/preview`, (route) => route.fulfill({ json: preview }));
  await page.goto(`${PAGE}/portals/${id}/xero/import`);
  await page.getByRole("heading", { name: "Without a place (2)" }).waitFor();
  const outside = page.getByRole("region", { name: "Without a place" });
  assert.match(await outside.innerText(), /Person3[^]*Person4/);
  await screen(page, "xero-no-place");
});

test("who has signed up with Xero is told of the first password", async () => {
  const page = await open();
  await page.goto(`${PAGE}/portals/912345678901/xero?signed_up`);
  await page.getByText("We have sent a first password").waitFor();
  await screen(page, "signed-up");
});
