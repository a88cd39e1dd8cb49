// What somebody sees who is not signed in, or not any more.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { useTitle } from "../loading";
import { Notice } from "../parts";
import { at } from "../place";
import type { Session } from "../session";

/** Leaving for the sign-in page: whether it is under way, and whether there was no way. */
function useSignIn(session: Session) {
  const [leaving, setLeaving] = useState(false);
  const [broken, setBroken] = useState(false);
  const leave = () => {
    setLeaving(true);
    setBroken(false);
    session.signIn().catch(() => {
      setLeaving(false);
      setBroken(true);
    });
  };
  return { leaving, broken, leave };
}

function Broken() {
  return (
    <Notice tone="bad" title="The sign-in page cannot be reached.">
      <p>See whether you are connected to the internet, then try again.</p>
    </Notice>
  );
}

/** Over the screen that somebody was at. */
export function SessionEnded({ session, later }: { session: Session; later: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titled = useId();
  const { leaving, broken, leave } = useSignIn(session);
  useEffect(() => {
    // Above a question, too.
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={titled} onClose={later}>
      <article>
        <h2 id={titled}>Your session has ended</h2>
        <p>
          Sign in again to go on where you were. What was saved stays saved; if you have typed something that is not,
          copy it first.
        </p>
        {broken && <Broken />}
        <footer>
          <button type="button" class="secondary outline" onClick={() => dialog.current?.close()}>
            Not yet
          </button>
          <button type="button" aria-busy={leaving} disabled={leaving} onClick={leave}>
            Sign in
          </button>
        </footer>
      </article>
    </dialog>
  );
}

export function SignIn({ session }: { session: Session }) {
  useTitle("Sign in");
  const { leaving, broken, leave } = useSignIn(session);
  const signedUp = new URLSearchParams(location.search).has("signed_up");
  return (
    <main class="alone">
      <p class="brand">
        Go1 <span>integrations</span>
      </p>
      <h1>Sign in to your portal</h1>
      {signedUp && (
        <Notice tone="good" title="Your portal is ready.">
          <p>
            We have sent a first password to the email address that you use at Xero. Sign in with it to import your
            employees.
          </p>
        </Notice>
      )}
      {session.failed && !broken && (
        <Notice tone="attention" title="Signing in did not work.">
          <p>Perhaps it took too long, or the page was reloaded on the way. Sign in again.</p>
        </Notice>
      )}
      <p>Keep your people in Go1 in step with your HR system, or import them from Xero.</p>
      {broken && <Broken />}
      <button type="button" aria-busy={leaving} disabled={leaving} onClick={leave}>
        Sign in
      </button>
      {session.passwordPage && (
        <p>
          <a href={session.passwordPage}>I don't know my password</a>
          <br />
          {!signedUp && <small>If you have never signed in, ask Go1 for a new first password.</small>}
        </p>
      )}
      {session.config.xero && !signedUp && (
        <p>
          Your company is on Xero and has no portal yet? <a href={at("/signup")}>Create an account</a>
        </p>
      )}
    </main>
  );
}
