// Configuration > AWS credentials: where files are sent, and the key for it. The secret is shown once, and kept
// nowhere but on the screen.

import { useState } from "preact/hooks";
import { type Credentials as Pair, Refused } from "../api";
import { Frame } from "../frame";
import { useStaying } from "../leaving";
import { useAround, useDeed, useLoaded, useTitle } from "../loading";
import { Copied, Heading, Notice, Nothing, Question, Trouble, Waiting } from "../parts";
import { ofPortal } from "../place";
import { handOver, rehearsals, type Setting, snippets } from "../snippets";
import { ago, moment } from "../words";

export function Credentials({ portal }: { portal: string }) {
  const { api } = useAround();
  const path = `/portals/${portal}/feed/credentials`;
  // In an object, since there may be none.
  const read = () => api.getUnless<Pair>("no_credentials", path);
  const pair = useLoaded(async () => ({ now: await read() }), path);
  const issuing = useDeed();
  const [asking, setAsking] = useState(false);
  /** Somebody else has generated the pair that is shown, while this screen was open. */
  const [theirs, setTheirs] = useState(false);
  const now = pair.value?.now;
  const [kept, setKept] = useState(false);
  useTitle("AWS credentials");
  useStaying(now?.secret_access_key && !kept ? "The secret key is not shown again. Leave without it?" : null);
  // Of another pair than the one that is shown nobody has agreed to anything.
  const isAnother = async () => {
    const latest = await read();
    if (latest?.access_key_id === now?.access_key_id) return false;
    pair.set({ now: latest });
    setTheirs(latest !== null);
    return true;
  };
  const ask = () =>
    issuing.run(async () => {
      await isAnother();
      setAsking(true);
    });
  const issue = () =>
    issuing.run(async () => {
      if (await isAnother()) {
        setAsking(true);
        return;
      }
      pair.set({ now: await api.post<Pair>(path).catch(lost) });
      setKept(false);
      setTheirs(false);
      setAsking(false);
    });
  return (
    <Frame portal={portal}>
      <Heading
        title="AWS credentials"
        beside={
          now && (
            <button type="button" class="secondary outline" aria-busy={issuing.busy} onClick={() => void ask()}>
              Regenerate AWS credentials
            </button>
          )
        }
      >
        The address, user name and password by which your HR system sends files to Go1.
      </Heading>
      {pair.value && !(asking && now) && <Trouble of={pair.trouble ?? issuing.trouble} />}
      {!pair.value && <Waiting trouble={pair.trouble} again={pair.again} />}
      {pair.value && !now && (
        <Nothing title="No credentials have been generated yet.">
          <p>Have a safe place ready to keep them: the secret key is shown once.</p>
          <button type="button" aria-busy={issuing.busy} disabled={issuing.busy} onClick={() => void issue()}>
            Generate AWS credentials
          </button>
        </Nothing>
      )}
      {now && <Shown portal={portal} pair={now} keep={() => setKept(true)} />}
      {asking && now && (
        <Question
          title="Regenerate AWS credentials?"
          yes="Regenerate"
          harm
          deed={issuing}
          onYes={() => void issue()}
          onNo={() => {
            issuing.forget();
            setAsking(false);
          }}
        >
          {theirs && (
            <p>
              <strong>Somebody else has just generated this key pair</strong>, and has its secret. Ask them for it, or
              regenerate.
            </p>
          )}
          <p>
            The key pair generated {moment(now.created_at)} <strong>stops working at once</strong>. Whatever sends files
            with it fails until the new pair is entered there.
          </p>
          <p>
            {now.last_used_at
              ? `It was last used ${ago(now.last_used_at)}. Does somebody of your team have it?`
              : "It has not been used yet, as far as AWS knows. Does somebody of your team have it?"}
          </p>
        </Question>
      )}
    </Frame>
  );
}

/** Only a refusal says that nothing was done. After anything else nobody knows whether the old pair works still. */
function lost(error: unknown): never {
  if (error instanceof Refused && error.status >= 400 && error.status < 500) throw error;
  throw new Refused(
    0,
    null,
    "The answer got lost on its way.",
    "A new key pair may have been generated, whose secret nobody has seen; the one before stops working then. See whether you are connected to the internet, and generate credentials once more.",
  );
}

function Shown({ portal, pair, keep }: { portal: string; pair: Pair; keep: () => void }) {
  const secret = pair.secret_access_key;
  return (
    <>
      {secret && (
        <Notice tone="attention" title="Copy the secret key now.">
          <p>It is shown this once. If it is lost, credentials can be generated again, and these stop working then.</p>
        </Notice>
      )}
      <dl class="values">
        <dt>AWS S3 bucket path</dt>
        <dd>
          <Copied label="bucket path" value={pair.bucket_path} />
        </dd>
        <dt>Client ID (access key ID)</dt>
        <dd>
          <Copied label="client ID" value={pair.access_key_id} />
        </dd>
        <dt>Secret key</dt>
        <dd>
          {secret ? (
            <Copied label="secret key" value={secret} copied={keep} />
          ) : (
            "Not shown again. Whoever generated it has it; otherwise regenerate."
          )}
        </dd>
        <dt>Region</dt>
        <dd>
          <Copied label="region" value={pair.region} />
        </dd>
        <dt>Rehearsal folder</dt>
        <dd>
          <Copied label="rehearsal folder" value={rehearsals(pair)} />
        </dd>
        <dt>Generated</dt>
        <dd>
          {moment(pair.created_at)} ({ago(pair.created_at)})
        </dd>
        <dt>Last used</dt>
        <dd>{pair.last_used_at ? moment(pair.last_used_at) : "Not yet, as far as AWS says; it may know hours later."}</dd>
      </dl>
      <p>
        Files go into the folder of the bucket path; their names are yours to choose, and end in <code>.csv</code>. One
        in the rehearsal folder is checked and reported in full, and changes nobody.
      </p>
      <h2>What now?</h2>
      <p>
        Whoever runs your HR system, or your IT, enters these values there, so that it sends a file every night.
        {secret && " They can be handed over as one text, or set up with one of the examples below."}
      </p>
      <details class="snippet">
        <summary>Copy all to hand over</summary>
        {secret && (
          <p>
            <strong>It holds the secret key.</strong> Send it in a way that only its receiver can read, such as a password
            manager, and not by plain email.
          </p>
        )}
        <Copied label="all to hand over" value={handOver(pair)} block copied={keep} />
      </details>
      {snippets(pair).map((snippet) => (
        <details class="snippet">
          <summary>{snippet.name}</summary>
          <p>{snippet.note}</p>
          {"text" in snippet ? (
            <Copied label={snippet.name} value={snippet.text} block copied={keep} />
          ) : (
            <Settings of={snippet.name} settings={snippet.settings} keep={keep} />
          )}
        </details>
      ))}
      <h2>Or send a file yourself</h2>
      <p>The first one is best tried here, as a rehearsal.</p>
      <a role="button" href={ofPortal(portal, "/uploads")}>
        Upload a file from this page
      </a>
    </>
  );
}

/** Each is entered in a field of its own. */
function Settings({ of, settings, keep }: { of: string; settings: Setting[]; keep: () => void }) {
  return (
    <dl class="values">
      {settings.map(({ name, value, isSecret }) => (
        <>
          <dt>{name}</dt>
          <dd>
            <Copied label={`${name} for ${of}`} value={value} {...(isSecret && { copied: keep })} />
          </dd>
        </>
      ))}
    </dl>
  );
}
