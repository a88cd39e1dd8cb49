// One upload: its progress, what it changed, what is wrong in words that say what to do, its report, and what it holds.

import { useState } from "preact/hooks";
import type { Code, Mapping, PageOf, Portal, Problem, Schemas, Upload } from "../api";
import { Frame } from "../frame";
import { asRefused, type Loaded, useAround, useDeed, useGo, useList, useLoaded, usePoll, useTitle } from "../loading";
import { Dropped } from "../matching";
import { Badge, Figure, Heading, More, Notice, Question, Table, Trouble, UploadState, Waiting } from "../parts";
import { ofPortal } from "../place";
import { bytes, held as heldPeople, isRunning, moment, number, percent, several, state } from "../words";

const POLL_MS = 1000;

type Catalogue = Map<string, Code>;

export function OneUpload({ portal, upload }: { portal: string; upload: string }) {
  const path = `/portals/${portal}/uploads/${upload}`;
  const found = useLoaded((api) => api.get<Upload>(path), path);
  const codes = useLoaded<Catalogue>(
    async (api) => new Map((await api.get<PageOf<Code>>("/problem-codes")).items.map((code) => [code.code, code])),
    "",
  );
  const value = found.value;
  usePoll(found, value && isRunning(value.status) ? POLL_MS : null);
  useTitle(value?.file_name || "Upload");
  return (
    <Frame portal={portal}>
      <p>
        <a href={ofPortal(portal, "/uploads")}>← Upload history</a>
      </p>
      {value ? (
        <>
          <Trouble of={found.trouble} again={found.again} />
          <Shown portal={portal} path={path} upload={value} codes={codes.value ?? new Map()} found={found} />
        </>
      ) : (
        <Waiting trouble={found.trouble} again={found.again} />
      )}
    </Frame>
  );
}

interface ShownProps {
  portal: string;
  path: string;
  upload: Upload;
  codes: Catalogue;
  found: Loaded<Upload>;
}

function Shown({ portal, path, upload, codes, found }: ShownProps) {
  const { rows, others, status, held } = upload;
  const running = isRunning(status);
  const [words] = state(status);
  const undecided = status === "held";
  return (
    <>
      <Heading
        title={upload.file_name || (upload.kind === "xero" ? "Import from Xero" : "No file came")}
        beside={
          <>
            {upload.rehearsal && <Badge tone="plain">Rehearsal</Badge>}
            <UploadState of={status} />
          </>
        }
      >
        Received {moment(upload.received_at)}
        {upload.kind === "feed" && upload.file_name && `, ${bytes(upload.size_bytes)}`}
        {upload.finished_at && `, finished ${moment(upload.finished_at)}`}
      </Heading>
      {upload.rehearsal && (
        <Notice tone="running">
          <p>This is a rehearsal: the numbers say what the file would do. Nobody was changed.</p>
        </Notice>
      )}
      {/* Each step is told, and not each of its percents. */}
      <p class="sr-only" role="status">
        {words}
      </p>
      {running && (
        <div class="progress">
          <p>
            {words}: {percent(upload.progress_percent)}
          </p>
          <progress aria-label="Progress" max={100} value={upload.progress_percent} />
        </div>
      )}
      {upload.rehearsal && held.disables + held.creates > 0 && (
        <WouldBeHeld path={path} upload={upload} codes={codes} />
      )}
      {undecided && <Held portal={portal} path={path} upload={upload} codes={codes} found={found} />}
      {held.decision && <Decision held={held} />}
      <Problems upload={upload} codes={codes} />
      {!running && status !== "rejected" && status !== "failed" && (
        <>
          <h2>{upload.rehearsal ? "What it would do" : "What it did"}</h2>
          <dl class="figures">
            <Figure name="Created" value={number(rows.created)} />
            <Figure name="Updated" value={number(rows.updated + others.updated)} />
            <Figure name="Made inactive" value={number(rows.disabled + others.disabled)} />
            <Figure name="Made active again" value={number(rows.enabled)} />
            <Figure name="Unchanged" value={number(rows.unchanged)} />
            <Figure
              name="Not processed"
              value={number(rows.not_processed)}
              tone={rows.not_processed > 0 ? "attention" : undefined}
            />
            <Figure name="Warnings" value={number(upload.warnings)} />
          </dl>
          <p class="quiet">
            {several(rows.total, upload.kind === "xero" ? "person" : "row", upload.kind === "xero" ? "people" : "rows")}
            {upload.kind === "feed" && " in the file"}
            {others.disabled > 0 && `; ${several(others.disabled, "person", "people")} made inactive who are not in it`}
            {others.updated > 0 && `; ${several(others.updated, "manager", "managers")} given the role`}.
          </p>
        </>
      )}
      {!running && <Documents path={path} upload={upload} portal={portal} />}
    </>
  );
}

/** What is wrong with it, each kind once, with what to do about it and where it is. */
function Problems({ upload, codes }: { upload: Upload; codes: Catalogue }) {
  const kinds = new Map<string, Problem[]>();
  for (const problem of upload.problems) {
    if (problem.severity === "hold") continue;
    kinds.set(problem.code, [...(kinds.get(problem.code) ?? []), problem]);
  }
  if (kinds.size === 0) return null;
  const known = upload.rows.not_processed + upload.warnings;
  const shown = [...kinds.values()].flat().length;
  const more = known - shown;
  return (
    <section aria-labelledby="problems">
      <h2 id="problems">{upload.status === "rejected" ? "Why it was not accepted" : "What to look at"}</h2>
      {[...kinds].map(([code, problems]) => {
        const catalogued = codes.get(code);
        const tone = problems[0]!.severity === "warning" ? "attention" : "bad";
        return (
          <article class={`problem ${tone}`}>
            <h3>{catalogued?.meaning ?? problems[0]!.message}</h3>
            {catalogued && (
              <p>
                <strong>What to do:</strong> {catalogued.how_to_fix}
              </p>
            )}
            <ul>
              {problems.map((problem) => (
                <li>
                  {problem.message}
                  {problem.value !== undefined && (
                    <>
                      {" "}
                      <code>{problem.value}</code>
                    </>
                  )}
                </li>
              ))}
            </ul>
          </article>
        );
      })}
      {more > 0 && <p>The report has all of them.</p>}
    </section>
  );
}

/** Of a rehearsal nothing waits; whoever sends the same file in earnest should know that it would. */
function WouldBeHeld({ path, upload, codes }: { path: string; upload: Upload; codes: Catalogue }) {
  const document = useDocument(path);
  const { held } = upload;
  const why = held.reason && codes.get(held.reason);
  return (
    <Notice tone="attention" title={`${heldPeople(held)}.`}>
      <p>
        That would wait for your approval. {why?.meaning}
      </p>
      {upload.report_ready && (
        <button type="button" class="secondary outline small" onClick={() => document.open("report")}>
          See in the report who it is about
        </button>
      )}
      <Trouble of={document.deed.trouble} />
    </Notice>
  );
}

function Decision({ held }: { held: Schemas["Held"] }) {
  const of = several(held.disables + held.creates, "change", "changes");
  const said = {
    approve: `${of} that had been held back were approved.`,
    reject: `${of} that had been held back were rejected, and not made.`,
    superseded: `${of} had been held back. A newer file, or another mapping, has ended that; they were not made.`,
  };
  return (
    <Notice tone="running">
      <p>{said[held.decision!]}</p>
    </Notice>
  );
}

/** Refusals of a decision that somebody or something has taken before. */
const SETTLED: string[] = ["nothing_held", "hold_superseded"];
/** A list that ends below the window: it is decided above it, too. */
const LONG = 10;

interface HeldProps {
  portal: string;
  path: string;
  upload: Upload;
  codes: Catalogue;
  found: Loaded<Upload>;
}

function Held({ portal, path, upload, codes, found }: HeldProps) {
  const { api } = useAround();
  const people = useList<Schemas["HeldPerson"]>(`${path}/held-disables?limit=50`);
  const deed = useDeed();
  const [asking, setAsking] = useState<Schemas["Decided"] | null>(null);
  const { disables, creates, reason } = upload.held;
  const why = reason ? codes.get(reason) : undefined;
  const decide = (decision: Schemas["Decided"]) =>
    deed.run(async () => {
      try {
        found.set(await api.post<Upload>(`${path}/held-disables`, { decision }));
        setAsking(null);
      } catch (error) {
        if (!SETTLED.includes(asRefused(error).code ?? "")) throw error;
        // A colleague was quicker, or a newer file.
        setAsking(null);
        await found.again();
        throw error;
      }
    });
  const decision = (
    <div class="actions">
      <button type="button" class="secondary outline" onClick={() => setAsking("reject")}>
        Reject
      </button>
      <button type="button" onClick={() => setAsking("approve")}>
        Approve
      </button>
    </div>
  );
  const isLong = (people.value?.items.length ?? 0) > LONG;
  return (
    <section class="held" aria-labelledby="held">
      <h2 id="held">Your decision is needed</h2>
      <p>
        <strong>{heldPeople(upload.held)}.</strong>{" "}
        {why?.meaning} Everything else in the file has been done. {why?.how_to_fix}
      </p>
      {isLong && decision}
      {people.value ? (
        <>
          <Table label="Who it is about" head={["Name", "Email", "What would happen"]}>
            {people.value.items.map((person) => (
              <tr>
                <th scope="row">
                  {person.action === "disable" ? (
                    <a href={ofPortal(portal, `/users/${person.user_id}`)}>
                      {person.first_name} {person.last_name}
                    </a>
                  ) : (
                    `${person.first_name} ${person.last_name}`
                  )}
                </th>
                <td>{person.email}</td>
                <td>{person.action === "disable" ? "Made inactive" : "Created"}</td>
              </tr>
            ))}
          </Table>
          <Trouble of={people.trouble} again={people.again} />
          <More of={people} />
        </>
      ) : (
        <Waiting trouble={people.trouble} again={people.again} />
      )}
      {!asking && <Trouble of={deed.trouble} />}
      {decision}
      {asking && (
        <Question
          title={`${asking === "approve" ? "Approve" : "Reject"} ${several(disables + creates, "change", "changes")}?`}
          yes={asking === "approve" ? "Approve" : "Reject"}
          harm={asking === "approve"}
          deed={deed}
          onYes={() => void decide(asking)}
          onNo={() => {
            deed.forget();
            setAsking(null);
          }}
        >
          {asking === "approve" ? (
            <p>
              {heldPeople(upload.held)}. Whoever is inactive cannot sign in. People who were changed since the file came stay as they
              are.
            </p>
          ) : (
            <p>Nobody of the list is changed. The next file holds again what is still true.</p>
          )}
        </Question>
      )}
    </section>
  );
}

/** Leaves for a document of an upload, which the browser saves. */
function useDocument(path: string) {
  const { api } = useAround();
  const deed = useDeed();
  const open = (document: "report" | "rejected") =>
    void deed.run(async () => {
      const { url } = await api.get<Schemas["LinkAnswer"]>(`${path}/${document}`);
      location.assign(url);
    });
  return { deed, open };
}

/** What to do with rows that were not processed, corrected: with auto-disable a file is the whole of the people. */
const CORRECT = {
  whole:
    "Correct them in your HR system and send the whole file again: a file with only these rows would make everybody else inactive.",
  alone: "Correct them and send the file: it works as any other.",
};

/** Reports to download, and a way to process the same file once more. */
function Documents({ path, upload, portal }: { path: string; upload: Upload; portal: string }) {
  const { api } = useAround();
  const go = useGo();
  const deed = useDeed();
  const document = useDocument(path);
  const [asking, setAsking] = useState(false);
  // What becomes of the same file now, or of a corrected one.
  const now = useLoaded(async (api) => {
    const [mapping, { feed }] = await Promise.all([
      api.getUnless<Mapping>("mapping_not_found", `/portals/${portal}/feed/mapping`),
      api.get<Portal>(`/portals/${portal}`),
    ]);
    return { autoDisable: mapping?.auto_disable ?? false, held: feed.held };
  }, path);
  const replay = () =>
    deed.run(async () => {
      const { upload_id } = await api.post<Upload>(`${path}/replay`);
      setAsking(false);
      go(ofPortal(portal, `/uploads/${upload_id}`));
    });
  const rejectedRows = upload.report_ready && upload.rows.not_processed > 0 && upload.kind === "feed";
  // While it waits for a decision, processing it again would be one, and nobody would see it.
  const repeatable = upload.kind === "feed" && upload.key !== "" && upload.status !== "held";
  if (!upload.report_ready && !repeatable) return null;
  return (
    <>
      <div class="actions documents">
        {upload.report_ready && (
          <button type="button" class="secondary outline" onClick={() => document.open("report")}>
            Download the report
          </button>
        )}
        {rejectedRows && (
          <button type="button" class="secondary outline" onClick={() => document.open("rejected")}>
            Download the rows that were not processed
          </button>
        )}
        {repeatable && (
          <button type="button" class="secondary outline" onClick={() => setAsking(true)}>
            Process again
          </button>
        )}
      </div>
      {rejectedRows && (
        <p class="quiet">
          The rows that were not processed come in your own columns. {now.value && CORRECT[now.value.autoDisable ? "whole" : "alone"]}
        </p>
      )}
      <Trouble of={document.deed.trouble} />
      {asking && (
        <Question
          title="Process this file again?"
          yes="Process again"
          deed={deed}
          onYes={() => void replay()}
          onNo={() => {
            deed.forget();
            setAsking(false);
          }}
        >
          <p>
            The same file is read once more, by the mapping and settings of now. If a newer file was applied since, this
            one is too late and will not be accepted.
          </p>
          {!upload.rehearsal && <Dropped held={now.value?.held ?? null} />}
        </Question>
      )}
    </>
  );
}
