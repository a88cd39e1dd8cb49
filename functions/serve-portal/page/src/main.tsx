// Starts the page: who is signed in, and which screen belongs to the address.

import "@picocss/pico/css/pico.min.css";
import "./look.css";
import { render } from "preact";
import { LocationProvider, Route, Router, useLocation } from "preact-iso";
import { useEffect, useState } from "preact/hooks";
import { Api } from "./api";
import { Frame } from "./frame";
import { AroundContext, useAround, useTitle } from "./loading";
import { Heading, Notice } from "./parts";
import { at, HERE, ofPortal } from "./place";
import { Audit } from "./screens/audit";
import { Credentials } from "./screens/credentials";
import { FeedSettings } from "./screens/feed-settings";
import { DataMapping } from "./screens/mapping";
import { Overview } from "./screens/overview";
import { Portals } from "./screens/portals";
import { SignIn } from "./screens/sign-in";
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
  const { route } = useLocation();
  const there = person.operator ? at("/portals") : person.portal ? ofPortal(person.portal) : null;
  useEffect(() => {
    if (there) route(there, true);
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
        The address may be mistyped, or the page may have moved. <a href={HERE}>Go to the start</a>.
      </Heading>
    </Frame>
  );
}

/** A screen that somebody goes to is begun at its top, also by who hears it. */
function begin(): void {
  scrollTo(0, 0);
  document.getElementById("content")?.focus({ preventScroll: true });
}

function Page({ session }: { session: Session }) {
  const [ended, setEnded] = useState(false);
  const person = session.person;
  if (!person && location.pathname === at("/signup")) return <SignUp />;
  if (!person || ended) return <SignIn session={session} ended={ended} />;
  const around = { session, person, api: new Api(session), ended: () => setEnded(true) };
  return (
    <AroundContext.Provider value={around}>
      <LocationProvider scope={HERE.slice(0, -1)}>
        <Router onRouteChange={begin}>
          <Route path={at("/")} component={Home} />
          <Route path={at("/portals")} component={Portals} />
          <Route path={at("/portals/:portal")} component={Overview} />
          <Route path={at("/portals/:portal/mapping")} component={DataMapping} />
          <Route path={at("/portals/:portal/credentials")} component={Credentials} />
          <Route path={at("/portals/:portal/settings")} component={FeedSettings} />
          <Route path={at("/portals/:portal/uploads")} component={Uploads} />
          <Route path={at("/portals/:portal/uploads/:upload")} component={OneUpload} />
          <Route path={at("/portals/:portal/xero")} component={XeroOverview} />
          <Route path={at("/portals/:portal/xero/import")} component={XeroImport} />
          <Route path={at("/portals/:portal/xero/settings")} component={XeroSettings} />
          <Route path={at("/portals/:portal/users")} component={Users} />
          <Route path={at("/portals/:portal/users/:user")} component={OneUser} />
          <Route path={at("/portals/:portal/audit")} component={Audit} />
          <Route default component={Lost} />
        </Router>
      </LocationProvider>
    </AroundContext.Provider>
  );
}

const place = document.getElementById("page")!;
try {
  const session = await Session.begin();
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
