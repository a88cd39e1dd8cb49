// Signing in and out: at the stack's own user pool, and at another issuer, which is only played here.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open, signIn, start, stop } from "./browser.mjs";
import { PAGE, portal, stack } from "./cloud.mjs";

before(start);
after(stop);

const SIGNED_OUT = { name: "Sign in to your portal" };

async function signOut(page, email) {
  await page.getByText(email).first().click();
  await page.getByRole("button", { name: "Sign out" }).click();
}

/** What is asked there; nothing is answered. */
function unanswered(page, url) {
  return new Promise((asked) => page.route(url, (route) => asked(route.request())));
}

/** Where the browser is sent, and does not go: with nothing in the answer it stays where it was. */
function nowhere(page, url) {
  return new Promise((asked) =>
    page.route(url, async (route) => {
      await route.fulfill({ status: 204 });
      asked(route.request());
    }),
  );
}

test("signing out waits for nobody, and leaves nothing on the screen", async () => {
  const { id, administrator } = await portal();
  const page = await open();
  await signIn(page, administrator, `/portals/${id}`);
  const revoked = unanswered(page, "**/oauth2/revoke");
  const left = nowhere(page, "**/logout?*");
  await signOut(page, administrator.email);
  assert.ok(new URLSearchParams((await revoked).postData()).get("token"));
  const query = new URL((await left).url()).searchParams;
  assert.deepEqual(Object.fromEntries(query), { client_id: stack.outputs.UserPoolClientId, logout_uri: PAGE });
  assert.equal(await page.locator("body").innerText(), "Signing out…");
  assert.equal(await page.evaluate(() => Object.values(sessionStorage).join("").includes("token")), false);
});

const ISSUER = "https://issuer.example";
const EMAIL = "ada@elsewhere.example";

/** An issuer that somebody is signed in at already: it says so and sends them back. */
async function anotherIssuer(page, discovered) {
  const json = (route, value) => route.fulfill({ json: value, headers: { "access-control-allow-origin": "*" } });
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: ISSUER, aud: "the-page", sub: "1", email: EMAIL, iat: now, exp: now + 3600 };
  const id_token = `${part({ alg: "none" })}.${part(claims)}.`;
  await page.route(`${ISSUER}/.well-known/openid-configuration`, (route) =>
    json(route, {
      issuer: ISSUER,
      authorization_endpoint: `${ISSUER}/authorize`,
      token_endpoint: `${ISSUER}/token`,
      ...discovered,
    }),
  );
  await page.route(`${ISSUER}/token`, (route) =>
    json(route, { id_token, access_token: "a", refresh_token: "renews", token_type: "Bearer", expires_in: 3600 }),
  );
  // As serve-portal answers where the stack has this issuer.
  await page.route(`${PAGE}/config.json`, async (route) => {
    const config = await (await route.fetch()).json();
    await route.fulfill({ json: { ...config, issuer: ISSUER, sign_in_url: null, client_id: "the-page" } });
  });
  await page.route(`${PAGE}**`, async (route) => {
    if (route.request().resourceType() !== "document") return route.fallback();
    const answer = await route.fetch();
    const policy = answer.headers()["content-security-policy"].replace("connect-src 'self'", `$& ${ISSUER}`);
    await route.fulfill({ response: answer, headers: { ...answer.headers(), "content-security-policy": policy } });
  });
  await page.goto(PAGE);
  const begun = nowhere(page, `${ISSUER}/authorize?*`);
  await page.getByRole("button", { name: "Sign in" }).click();
  const asked = new URL((await begun).url()).searchParams;
  await page.goto(`${asked.get("redirect_uri")}?code=c&state=${asked.get("state")}`);
  await page.getByText("Your account belongs to no portal.").waitFor();
  return { asked, id_token };
}

test("at another issuer signing out ends that session too", async () => {
  const page = await open();
  const { asked, id_token } = await anotherIssuer(page, {
    scopes_supported: ["openid", "email", "offline_access"],
    revocation_endpoint: `${ISSUER}/revoke`,
    end_session_endpoint: `${ISSUER}/end?of=session`,
  });
  assert.equal(asked.get("scope"), "openid email offline_access");
  const revoked = unanswered(page, `${ISSUER}/revoke`);
  const ended = nowhere(page, `${ISSUER}/end?*`);
  await signOut(page, EMAIL);
  assert.equal(new URLSearchParams((await revoked).postData()).get("token"), "renews");
  const query = new URL((await ended).url()).searchParams;
  const expected = { of: "session", client_id: "the-page", post_logout_redirect_uri: PAGE, id_token_hint: id_token };
  assert.deepEqual(Object.fromEntries(query), expected);
  assert.deepEqual(page.forbidden, []);
});

test("an issuer that can do less is asked for less", async () => {
  const page = await open();
  const { asked } = await anotherIssuer(page, {});
  assert.equal(asked.get("scope"), "openid email");
  await signOut(page, EMAIL);
  await page.getByRole("heading", SIGNED_OUT).waitFor();
  assert.deepEqual(page.forbidden, []);
});

test("a slash that is written otherwise leads nowhere, and is said so", async () => {
  const page = await open();
  await page.goto(`${PAGE}/portals/12%2F13`);
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  assert.deepEqual(page.forbidden, []);
});
