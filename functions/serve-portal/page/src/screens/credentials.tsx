// Configuration > AWS credentials: where files are sent, and the key for it. The secret is shown once, and kept
// nowhere but on the screen.

import { useState } from "preact/hooks";
import type { Credentials as Pair } from "../api";
import { Frame } from "../frame";
import { useAround, useDeed, useLoaded, useTitle } from "../loading";
import { Copied, Heading, Notice, Nothing, Question, Trouble, Waiting } from "../parts";
import { ofPortal } from "../place";
import { snippets } from "../snippets";
import { ago, moment } from "../words";

export function Credentials({ portal }: { portal: string }) {
  const { api } = useAround();
  const path = `/portals/${portal}/feed/credentials`;
  // In an object, since there may be none.
  const pair = useLoaded(async (api) => ({ now: await api.getUnless<Pair>("no_credentials", path) }), path);
  const issuing = useDeed();
  const [asking, setAsking] = useState(false);
  useTitle("AWS credentials");
  const issue = () =>
    issuing.run(async () => {
      pair.set({ now: await api.post<Pair>(path) });
      setAsking(false);
    });
  const now = pair.value?.now;
  return (
    <Frame portal={portal}>
      <Heading
        title="AWS credentials"
        beside={
          now && (
            <button type="button" class="secondary outline" onClick={() => setAsking(true)}>
              Regenerate AWS credentials
            </button>
          )
        }
      >
        The address, user name and password by which your HR system sends files to Go1.
      </Heading>
      {!pair.value && <Waiting trouble={pair.trouble} again={pair.again} />}
      {pair.value && !now && (
        <Nothing title="No credentials have been generated yet.">
          <p>Have a safe place ready to keep them: the secret key is shown once.</p>
          <Trouble of={issuing.trouble} />
          <button type="button" aria-busy={issuing.busy} disabled={issuing.busy} onClick={() => void issue()}>
            Generate AWS credentials
          </button>
        </Nothing>
      )}
      {now && <Shown portal={portal} pair={now} />}
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

function Shown({ portal, pair }: { portal: string; pair: Pair }) {
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
            <Copied label="secret key" value={secret} />
          ) : (
            "Not shown again. Whoever generated it has it; otherwise regenerate."
          )}
        </dd>
        <dt>Region</dt>
        <dd>
          <Copied label="region" value={pair.region} />
        </dd>
        <dt>Generated</dt>
        <dd>
          {moment(pair.created_at)} ({ago(pair.created_at)})
        </dd>
        <dt>Last used</dt>
        <dd>{pair.last_used_at ? moment(pair.last_used_at) : "Not yet; AWS may say so hours late."}</dd>
      </dl>
      <h2>Send a file</h2>
      <p>
        Files are named as you like, as long as the name ends in <code>.csv</code>. One in the folder{" "}
        <code>rehearsal</code> is checked and reported in full, and changes nobody.{" "}
        <a href={ofPortal(portal, "/uploads")}>Upload one from this page</a> if you have no script yet.
      </p>
      {snippets(pair).map(({ name, text, note }) => (
        <details class="snippet">
          <summary>{name}</summary>
          {note && <p>{note}</p>}
          <Copied label={name} value={text} block />
        </details>
      ))}
    </>
  );
}
