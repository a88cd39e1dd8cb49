// Where a portal stands: the steps to its first file, and its latest one.

import type { ComponentChildren } from "preact";
import type { Credentials, PageOf, Portal, Upload } from "../api";
import { Frame } from "../frame";
import { useLoaded, useTitle } from "../loading";
import { Heading, Notice, Trouble, UploadState, Waiting } from "../parts";
import { ofPortal } from "../place";
import { ago, held, moment } from "../words";

interface Standing {
  portal: Portal;
  credentials: Credentials | null;
  latest: Upload | null;
  /** A file was applied, whatever it was that came last. */
  applied: boolean;
}

/** The end of a file whose people are in Go1. */
const APPLIED: Upload["status"][] = ["completed", "completed_with_problems", "held"];

export function Overview({ portal }: { portal: string }) {
  const standing = useLoaded<Standing>(async (api) => {
    const of = `/portals/${portal}`;
    const [about, credentials, uploads] = await Promise.all([
      api.get<Portal>(of),
      api.getUnless<Credentials>("no_credentials", `${of}/feed/credentials`),
      api.get<PageOf<Upload>>(`${of}/uploads?limit=100`),
    ]);
    const { items } = uploads;
    const applied = items.some(
      ({ kind, rehearsal, status }) => kind === "feed" && !rehearsal && APPLIED.includes(status),
    );
    return { portal: about, credentials, latest: items[0] ?? null, applied };
  }, portal);
  useTitle("Overview");
  return (
    <Frame portal={portal}>
      {standing.value ? (
        <>
          <Trouble of={standing.trouble} again={standing.again} />
          <Shown portal={portal} of={standing.value} />
        </>
      ) : (
        <Waiting trouble={standing.trouble} again={standing.again} />
      )}
    </Frame>
  );
}

function Shown({ portal, of: { portal: about, credentials, latest, applied } }: { portal: string; of: Standing }) {
  const { feed } = about;
  const done = [feed.authorised, feed.mapping_version !== null, credentials !== null, applied];
  const next = done.indexOf(false);
  return (
    <>
      <Heading title={about.name}>
        {next === -1
          ? "Your data feed is set up. This is where it stands."
          : "Four steps, and your people in Go1 follow your HR system."}
      </Heading>
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
          name="Authorise the data feed"
          done={feed.authorised}
          next={next === 0}
          href={ofPortal(portal, "/mapping")}
          go="Authorise"
        >
          {feed.authorised && feed.authorised_at
            ? `By ${feed.authorised_by}, ${moment(feed.authorised_at)}`
            : "Allow files to create and update users of your portal."}
        </Step>
        <Step
          name="Match your columns"
          done={feed.mapping_version !== null}
          next={next === 1}
          href={ofPortal(portal, "/mapping")}
          go="Match columns"
        >
          {feed.mapping_version !== null
            ? `Version ${feed.mapping_version} is in use`
            : "Show us a small sample of your file, and say which column is what."}
        </Step>
        <Step
          name="Copy your AWS credentials"
          done={credentials !== null}
          next={next === 2}
          href={ofPortal(portal, "/credentials")}
          go="Get credentials"
        >
          {credentials
            ? `Generated ${moment(credentials.created_at)}`
            : "The address and key by which your HR system sends its files."}
        </Step>
        <Step
          name="Send a file"
          done={applied}
          next={next === 3}
          href={ofPortal(portal, "/uploads")}
          go="Upload a file"
        >
          {applied ? "Your latest upload is below." : "From your HR system, or from this page for a first try."}
        </Step>
      </ol>
      {latest && (
        <section aria-labelledby="latest">
          <h2 id="latest">Latest upload</h2>
          <a class="card" href={ofPortal(portal, `/uploads/${latest.upload_id}`)}>
            <strong>{latest.file_name || (latest.kind === "xero" ? "Import from Xero" : "No file came")}</strong>
            <UploadState of={latest.status} />
            <span>{moment(latest.received_at)}</span>
          </a>
        </section>
      )}
    </>
  );
}

interface StepProps {
  name: string;
  done: boolean;
  next: boolean;
  href: string;
  go: string;
  children: ComponentChildren;
}

function Step({ name, done, next, href, go, children }: StepProps) {
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
        <a href={href}>Look</a>
      ) : next ? (
        <a role="button" href={href}>
          {go}
        </a>
      ) : null}
    </li>
  );
}
