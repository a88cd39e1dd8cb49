// Where a portal stands: the steps to its first file, and its latest one.

import type { ComponentChildren } from "preact";
import type { Credentials, PageOf, Portal, Upload } from "../api";
import { Frame } from "../frame";
import { useLoaded, useTitle } from "../loading";
import { Badge, Heading, Notice, Shown, UploadState } from "../parts";
import { ofPortal } from "../place";
import { ago, held, moment, state, uploadName } from "../words";

interface Standing {
  portal: Portal;
  credentials: Credentials | null;
  latest: Upload | null;
}

export function Overview({ portal }: { portal: string }) {
  const standing = useLoaded<Standing>(async (api) => {
    const of = `/portals/${portal}`;
    const [about, credentials, uploads] = await Promise.all([
      api.get<Portal>(of),
      api.getUnless<Credentials>("no_credentials", `${of}/feed/credentials`),
      api.get<PageOf<Upload>>(`${of}/uploads?limit=1`),
    ]);
    return { portal: about, credentials, latest: uploads.items[0] ?? null };
  }, portal);
  useTitle("Overview");
  return (
    <Frame portal={portal}>
      <Shown of={standing}>{(found) => <Told portal={portal} of={found} />}</Shown>
    </Frame>
  );
}

function Told({ portal, of: { portal: about, credentials, latest } }: { portal: string; of: Standing }) {
  const { feed } = about;
  const applied = feed.last_applied !== null;
  const done = [feed.authorised, feed.mapping_version !== null, credentials !== null, applied];
  const next = done.indexOf(false);
  const [, tone] = latest ? state(latest) : [];
  return (
    <>
      <Heading title={about.name}>{stands(done, tone === "bad" || feed.held !== null)}</Heading>
      {about.off_boarding_since && (
        <Notice tone="bad" title="This portal is being given up.">
          <p>Everything in it is being deleted since {moment(about.off_boarding_since)}.</p>
        </Notice>
      )}
      {feed.overdue_since && (
        <Notice tone="attention" title="A file is missing.">
          <p>
            One was expected {ago(feed.overdue_since)}. See why your HR system sent none; you can{" "}
            <a href={ofPortal(portal, "/uploads")}>upload a file yourself</a> meanwhile.
          </p>
        </Notice>
      )}
      {feed.held && (
        <Notice tone="attention" title="A file waits for your decision.">
          <p>
            {held(feed.held)}.{" "}
            <a href={ofPortal(portal, `/uploads/${feed.held.upload_id}`)}>Look at who it is, then approve or reject</a>
          </p>
        </Notice>
      )}
      <ol class="steps">
        <Step
          name={feed.authorised ? "The data feed is authorised" : "Authorise the data feed"}
          done={feed.authorised}
          next={next === 0}
          href={ofPortal(portal, "/mapping")}
          go="Authorise"
          look="at the authorisation"
        >
          {feed.authorised && feed.authorised_at
            ? `By ${feed.authorised_by}, ${moment(feed.authorised_at)}`
            : "Allow files to create and update users of your portal, and to make them inactive."}
        </Step>
        <Step
          name={feed.mapping_version !== null ? "Your columns are matched" : "Match your columns"}
          done={feed.mapping_version !== null}
          next={next === 1}
          href={ofPortal(portal, "/mapping")}
          go="Match columns"
          look="at the mapping"
        >
          {feed.mapping_version !== null
            ? `Version ${feed.mapping_version} is in use`
            : "Show us a small sample of your file, and say which column is what."}
        </Step>
        <Step
          name={credentials ? "AWS credentials are generated" : "Copy your AWS credentials"}
          done={credentials !== null}
          next={next === 2}
          href={ofPortal(portal, "/credentials")}
          go="Get credentials"
          look="at the credentials"
        >
          {credentials
            ? `Generated ${moment(credentials.created_at)}`
            : "The address and key by which your HR system sends its files."}
        </Step>
        <Step
          name={applied ? "Files are applied" : "Send a file"}
          done={applied}
          next={next === 3}
          href={ofPortal(portal, applied ? "/uploads" : "/uploads?send")}
          go="Upload a file"
          look="at the upload history"
        >
          {feed.last_applied
            ? `The last one ${ago(feed.last_applied)}`
            : "From your HR system, or from this page for a first try."}
        </Step>
      </ol>
      {latest && (
        <section aria-labelledby="latest">
          <h2 id="latest">Latest upload</h2>
          <a class="card" href={ofPortal(portal, `/uploads/${latest.upload_id}`)}>
            <strong>{uploadName(latest)}</strong>
            {latest.rehearsal && <Badge tone="plain">Rehearsal</Badge>}
            <UploadState of={latest} />
            <span>{moment(latest.received_at)}</span>
          </a>
        </section>
      )}
    </>
  );
}

/** Where the feed stands, in a sentence. */
function stands([authorised, mapped, credentials, applied]: boolean[], wants: boolean): string {
  if (!authorised || !mapped || !applied) return "Four steps, and your people in Go1 follow your HR system.";
  if (wants) return "Your data feed is set up, and its last file needs somebody to look at it.";
  if (!credentials) return "Your data feed works with files from this page. With credentials, your HR system sends them by itself.";
  return "Your data feed is set up. This is where it stands.";
}

interface StepProps {
  name: string;
  done: boolean;
  next: boolean;
  href: string;
  go: string;
  /** What the way there shows once the step is done. */
  look: string;
  children: ComponentChildren;
}

function Step({ name, done, next, href, go, look, children }: StepProps) {
  return (
    <li class={done ? "done" : next ? "next" : ""}>
      <div>
        <h2>
          {name}
          {done && <span class="sr-only"> (done)</span>}
        </h2>
        <p>{children}</p>
      </div>
      {done ? (
        <a href={href}>
          Look<span class="sr-only"> {look}</span>
        </a>
      ) : next ? (
        <a role="button" href={href}>
          {go}
        </a>
      ) : null}
    </li>
  );
}
