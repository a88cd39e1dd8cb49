// What somebody sees who is not signed in.

import { useState } from "preact/hooks";
import { useTitle } from "../loading";
import { Notice } from "../parts";
import type { Session } from "../session";

export function SignIn({ session, ended }: { session: Session; ended: boolean }) {
  useTitle("Sign in");
  const [leaving, setLeaving] = useState(false);
  const [broken, setBroken] = useState(false);
  const signedUp = new URLSearchParams(location.search).has("signed_up");
  const leave = () => {
    setLeaving(true);
    setBroken(false);
    session.signIn().catch(() => {
      setLeaving(false);
      setBroken(true);
    });
  };
  return (
    <main class="alone">
      <p class="brand">
        Go1 <span>integrations</span>
      </p>
      <h1>{ended ? "Your session has ended" : "Sign in to your portal"}</h1>
      {signedUp && !ended && (
        <Notice tone="good" title="Your portal is ready.">
          <p>
            We have sent a first password to the e-mail address that you use at Xero. Sign in with it to import your
            employees.
          </p>
        </Notice>
      )}
      {session.failed && !ended && !broken && (
        <Notice tone="attention" title="Signing in did not work.">
          <p>Perhaps it took too long, or the page was reloaded on the way. Sign in again.</p>
        </Notice>
      )}
      {ended ? (
        <p>Sign in again to go on where you were. What was saved stays saved.</p>
      ) : (
        <p>Keep your people in Go1 in step with your HR system, or import them from Xero.</p>
      )}
      {broken && (
        <Notice tone="bad" title="The sign-in page cannot be reached.">
          <p>See whether you are connected to the internet, then try again.</p>
        </Notice>
      )}
      <button type="button" aria-busy={leaving} disabled={leaving} onClick={leave}>
        Sign in
      </button>
      {session.passwordPage && (
        <p>
          <a href={session.passwordPage}>I don't know my password</a>
        </p>
      )}
    </main>
  );
}
