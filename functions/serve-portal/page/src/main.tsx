// Starts the page: who is signed in, and which screen belongs to the address.

import "@picocss/pico/css/pico.min.css";
import "./look.css";
import { type ComponentChildren, type ComponentType, render } from "preact";
import { LocationProvider, Route, Router, useLocation } from "preact-iso";
import { useEffect, useErrorBoundary, useMemo, useState } from "preact/hooks";
import { Api } from "./api";
import { Frame } from "./frame";
import { entryGoes, numberEntry } from "./leaving";
import { AroundContext, useAround, useTitle } from "./loading";
import { Heading, Notice } from "./parts";
import { at, HOME, ofPortal } from "./place";
import { Audit } from "./screens/audit";
import { Credentials } from "./screens/credentials";
import { FeedSettings } from "./screens/feed-settings";
import { DataMapping } from "./screens/mapping";
import { Overview } from "./screens/overview";
import { Portals } from "./screens/portals";
import { SessionEnded, SignIn } from "./screens/sign-in";
import { SignUp } from "./screens/sign-up";
import { OneUpload } from "./screens/upload";
import { Uploads } from "./screens/uploads";
import { OneUser } from "./screens/user";
import { Users } from "./screens/users";
import { XeroImport } from "./screens/xero-import";
import { XeroOverview } from "./screens/xero-overview";
import { XeroSettings } from "./screens/xero-settings";
import { Session } from "./session";

/** Where somebody begins who asks for no screen. */
function Home() {
  const { person } = useAround();
  return <Instead there={person.operator ? at("/portals") : person.portal && ofPortal(person.portal)} />;
}

/** Who signs up has no portal yet; who has one goes on there. */
function SignedUp() {
  const { person } = useAround();
  return <Instead there={person.portal ? ofPortal(person.portal, "/xero") : HOME} />;
}

/** Another screen in the place of this one. */
function Instead({ there }: { there: string | null }) {
  const { route } = useLocation();
  useEffect(() => {
    if (!there) return;
    entryGoes();
    route(there, true);
  }, [there]);
  if (there) return null;
  return (
    <Frame>
      <Notice tone="attention" title="Your account belongs to no portal.">
        <p>Ask your Go1 contact to give you access to your company's portal.</p>
      </Notice>
    </Frame>
  );
}

function Lost() {
  useTitle("Not found");
  return (
    <Frame>
      <Heading title="There is no such page">
        The address may be mistyped, or the page may have moved. <a href={HOME}>Go to the start</a>.
      </Heading>
    </Frame>
  );
}

/** What cannot be shown says so: a tab may be older than what the API tells it. */
function Safely({ children }: { children: ComponentChildren }) {
  const [broken] = useErrorBoundary((error) => console.error(error));
  if (!broken) return <>{children}</>;
  return (
    <main class="alone">
      <Notice tone="bad" title="Something went wrong in this page.">
        <p>Reload it. If that does not help, tell Go1 support what you were looking at.</p>
        <button type="button" onClick={() => location.reload()}>
          Reload
        </button>
      </Notice>
    </main>
  );
}

/** A screen that somebody goes to is begun at its top, also by who hears it. */
function begin(): void {
  numberEntry();
  scrollTo(0, 0);
  document.getElementById("content")?.focus({ preventScroll: true });
}

/** What the API takes in the place of each. */
const SHAPES = {
  portal: /^[1-9]\d{0,11}$/,
  upload: /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/,
  user: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
};

type Named = Partial<Record<keyof typeof SHAPES, string>>;

/** A screen, if what the address names could be there. */
function checked<P extends Named>(Screen: ComponentType<P>) {
  const names = Object.keys(SHAPES) as (keyof typeof SHAPES)[];
  return (props: Named) => {
    const fits = names.every((name) => props[name] === undefined || SHAPES[name].test(props[name]));
    // The router gives what the screen's path names.
    return fits ? <Screen {...(props as P)} /> : <Lost />;
  };
}

const SCREENS = {
  "": checked(Overview),
  "/mapping": checked(DataMapping),
  "/credentials": checked(Credentials),
  "/settings": checked(FeedSettings),
  "/uploads": checked(Uploads),
  "/uploads/:upload": checked(OneUpload),
  "/xero": checked(XeroOverview),
  "/xero/import": checked(XeroImport),
  "/xero/settings": checked(XeroSettings),
  "/users": checked(Users),
  "/users/:user": checked(OneUser),
  "/audit": checked(Audit),
};

function Page({ session }: { session: Session }) {
  const [ended, setEnded] = useState(false);
  // Kept when the session ends: what somebody has typed stays to be seen.
  const [person] = useState(session.person);
  const around = useMemo(
    () => person && { session, person, api: new Api(session), ended: () => setEnded(true) },
    [session, person],
  );
  if (!person && location.pathname.replace(/\/$/, "") === at("/signup")) return <SignUp />;
  if (!around) return <SignIn session={session} />;
  return (
    <AroundContext.Provider value={around}>
      {ended && <SessionEnded session={session} later={() => setEnded(false)} />}
      <LocationProvider scope={HOME}>
        <Safely>
          <Router onRouteChange={begin}>
            <Route path={at("/")} component={Home} />
            <Route path={at("/portals")} component={Portals} />
            <Route path={at("/signup")} component={SignedUp} />
            {Object.entries(SCREENS).map(([screen, component]) => (
              <Route path={at(`/portals/:portal${screen}`)} component={component} />
            ))}
            <Route default component={Lost} />
          </Router>
        </Safely>
      </LocationProvider>
    </AroundContext.Provider>
  );
}

// A page that the browser has kept is of before, perhaps of somebody who has signed out.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

// What looks like a button is worked like one.
addEventListener("keydown", (event) => {
  const link = event.key === " " && event.target instanceof HTMLElement && event.target.closest("a[role=button]");
  if (!(link instanceof HTMLElement)) return;
  event.preventDefault();
  link.click();
});

const place = document.getElementById("page")!;
try {
  const session = await Session.begin();
  numberEntry();
  place.replaceChildren();
  render(<Page session={session} />, place);
} catch {
  place.replaceChildren();
  render(
    <main class="alone">
      <Notice tone="bad" title="The page could not start.">
        <p>See whether you are connected to the internet, then reload the page.</p>
        <button type="button" onClick={() => location.reload()}>
          Reload
        </button>
      </Notice>
    </main>,
    place,
  );
}
