// Debian's Chromium, and what is asked of every screen: nothing that axe finds serious, nothing that the policy forbids,
// nothing wider than the window. With SCREENS=1 each screen is kept as a picture, light and dark.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { PAGE } from "./cloud.mjs";

const PICTURES = new URL("../../../../docs/screens/", import.meta.url).pathname;
/** Of a long list the beginning is enough. */
const PICTURE_HEIGHT = 1200;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let browser;

export async function start() {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

export async function stop() {
  await browser?.close();
}

/** A window of its own: cookies and session are nobody else's. */
export async function open({ width = 1280, height = 800, locale = "en-AU" } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    locale,
    timezoneId: "Australia/Sydney",
    acceptDownloads: true,
    // Colours would still be on their way when axe looks at them.
    reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.forbidden = [];
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) page.forbidden.push(message.text());
  });
  page.on("pageerror", (error) => page.forbidden.push(String(error)));
  return page;
}

/** Signs in by the user pool's own page, as somebody who has just opened this address. */
export async function signIn(page, { email, password }, path = "") {
  await page.goto(PAGE + path);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Username").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("banner").waitFor();
}

async function axe(page, where) {
  // Told to the browser, not to the page, whose policy runs no script of anybody else's.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const found = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(found, [], where);
}

/** Looks at a screen that is there: by axe, in light and dark, at three widths. */
export async function screen(page, name) {
  const was = page.viewportSize();
  await page.locator('[aria-busy="true"]').first().waitFor({ state: "detached" });
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await axe(page, `${name}, ${colorScheme}`);
    if (process.env.SCREENS) {
      mkdirSync(PICTURES, { recursive: true });
      // A dialog is in the middle of the window, wherever on the screen that is.
      const fullPage = !(await page.getByRole("dialog").isVisible());
      const whole = fullPage ? await page.evaluate(() => document.documentElement.scrollHeight) : was.height;
      const clip = { x: 0, y: 0, width: was.width, height: Math.min(whole, PICTURE_HEIGHT) };
      await page.screenshot({ path: `${PICTURES}${name}.${colorScheme}.png`, fullPage, clip });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  for (const width of [360, 1600]) {
    await page.setViewportSize({ width, height: was.height });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${name} is ${wide} px too wide for ${width} px`);
    await axe(page, `${name}, ${width} px`);
  }
  await page.setViewportSize(was);
  assert.deepEqual(page.forbidden, [], name);
}

/** Keeps a part of a screen, that its picture would show too small or cut off. */
export async function part(page, locator, name) {
  if (!process.env.SCREENS) return;
  mkdirSync(PICTURES, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await locator.screenshot({ path: `${PICTURES}${name}.${colorScheme}.png` });
  }
  await page.emulateMedia({ colorScheme: "light" });
}

/** A call that waits until the test lets it go: `arrived` when it was made, `release` lets it, and all others, through. */
export async function holding(page, url, method, answer = (route) => route.continue()) {
  let release, reached;
  const released = new Promise((done) => (release = done));
  const arrived = new Promise((done) => (reached = done));
  await page.route(url, async (route) => {
    if (route.request().method() !== method) return route.fallback();
    reached();
    await released;
    return answer(route);
  });
  return { arrived, release };
}

/** The page has drawn what it knows. */
export const drawn = (page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/** A file as somebody chooses one. */
export const csv = (name, text) => ({ name, mimeType: "text/csv", buffer: Buffer.from(text) });
