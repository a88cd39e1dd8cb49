// What is around every screen: whose portal it is, the ways to the other screens, and who is signed in.

import type { ComponentChildren } from "preact";
import { useLocation } from "preact-iso";
import { useEffect, useState } from "preact/hooks";
import { leave } from "./leaving";
import { useAround } from "./loading";
import { at, HOME, ofPortal } from "./place";

const SCREENS: [string, [string, string][]][] = [
  [
    "Data feed",
    [
      ["", "Overview"],
      ["/mapping", "Data mapping"],
      ["/credentials", "AWS credentials"],
      ["/uploads", "Upload history"],
      ["/settings", "Settings"],
    ],
  ],
  [
    "Xero",
    [
      ["/xero", "Overview"],
      ["/xero/settings", "Settings"],
    ],
  ],
  [
    "Portal",
    [
      ["/users", "Users"],
      ["/audit", "Audit"],
    ],
  ],
];

/** A screen; with the menu, where it is a portal's. */
export function Frame({ portal, children }: { portal?: string; children: ComponentChildren }) {
  const { api, session, person } = useAround();
  const { path } = useLocation();
  const [, learnt] = useState<string>();
  useEffect(() => {
    // Without an answer the number has to do; the screen says why there is none.
    if (portal) api.learnName(portal).then(() => learnt(portal), () => undefined);
  }, [portal]);
  const [open, setOpen] = useState(false);
  const account = session.passwordPage;
  const current = portal && currentOf(path, portal);
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        Skip to the content
      </a>
      <header class="bar">
        <a class="brand" href={HOME}>
          Go1 <span>integrations</span>
        </a>
        {portal && (
          <span class="of-portal">
            {api.names.get(portal)} <span class="quiet">Portal {portal}</span>
          </span>
        )}
        {portal && (
          <button
            type="button"
            class="secondary outline small menu"
            aria-expanded={open}
            aria-controls="menu"
            onClick={() => setOpen(!open)}
          >
            Menu
          </button>
        )}
        <details class="dropdown account" onKeyDown={close}>
          <summary>
            <span>{person.email}</span>
          </summary>
          <ul dir="rtl">
            {person.operator && (
              <li dir="ltr">
                <a href={at("/portals")}>All portals</a>
              </li>
            )}
            {account && (
              <li dir="ltr">
                <a href={account}>Change password</a>
              </li>
            )}
            <li dir="ltr">
              <button type="button" class="link" onClick={() => leave(() => void session.signOut())}>
                Sign out
              </button>
            </li>
          </ul>
        </details>
      </header>
      <div class={portal ? "body with-menu" : "body"}>
        {portal && (
          <nav id="menu" class={open ? "open" : ""} aria-label="Screens">
            {SCREENS.filter(([group]) => group !== "Xero" || session.config.xero).map(([group, screens]) => (
              <section>
                <h2>{group}</h2>
                <ul>
                  {screens.map(([screen, name]) => (
                    <li>
                      <a href={ofPortal(portal, screen)} {...(screen === current && { "aria-current": "page" })}>
                        {name}
                      </a>
                    </li>
                  ))}
                </ul>
              </section>
            ))}
          </nav>
        )}
        <main id="content" tabIndex={-1}>
          {children}
        </main>
      </div>
    </>
  );
}

// With a `base`, a link to a fragment would leave the screen.
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}

/** By Escape, as menus are. */
function close(event: KeyboardEvent): void {
  const menu = event.currentTarget;
  if (event.key !== "Escape" || !(menu instanceof HTMLDetailsElement)) return;
  menu.open = false;
  menu.querySelector("summary")?.focus();
}

/** The screen of the menu that an address belongs to: the longest that it begins with. */
function currentOf(path: string, portal: string): string | undefined {
  const screens = SCREENS.flatMap(([, screens]) => screens.map(([screen]) => screen));
  const fitting = screens.filter((screen) => {
    const there = ofPortal(portal, screen);
    return path === there || path === `${there}/` || (screen !== "" && path.startsWith(`${there}/`));
  });
  return fitting.sort((one, other) => other.length - one.length)[0];
}
