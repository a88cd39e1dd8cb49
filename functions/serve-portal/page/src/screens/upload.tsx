// One upload: its progress, what it changed, what is wrong in words that say what to do, its report, and what it holds.

import { useState } from "preact/hooks";
import type { Code, PageOf, Problem, Schemas, Upload } from "../api";
import { Frame } from "../frame";
import {
  asRefused,
  type Loaded,
  useAround,
  useDeed,
  useFeedNow,
  useGo,
  useList,
  useLoaded,
  usePoll,
  useTitle,
} from "../loading";
import { Dropped } from "../matching";
import { Badge, Figure, Heading, More, Notice, Question, Shown, Table, Trouble, UploadState, Waiting } from "../parts";
import { ofPortal } from "../place";
import { bytes, held as heldPeople, isRunning, moment, number, percent, several, state, uploadName } from "../words";

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
  usePoll(found, value && isRunning(value) ? POLL_MS : null);
  useTitle(value?.file_name || "Upload");
  return (
    <Frame portal={portal}>
      <p>
        <a href={ofPortal(portal, "/uploads")}>← Upload history</a>
      </p>
      <Shown of={found}>
        {(upload) => <Told portal={portal} path={path} upload={upload} codes={codes.value ?? new Map()} found={found} />}
      </Shown>
    </Frame>
  );
}

interface ToldProps {
  portal: string;
  path: string;
  upload: Upload;
  codes: Catalogue;
  found: Loaded<Upload>;
}

function Told({ portal, path, upload, codes, found }: ToldProps) {
  const { rows, others, status, held } = upload;
  const running = isRunning(upload);
  const [words] = state(upload);
  const undecided = status === "held";
  const waits = held.decision ? 0 : held.disables + held.creates;
  return (
    <>
      <Heading
        title={uploadName(upload)}
        beside={
          <>
            {upload.rehearsal && <Badge tone="plain">Rehearsal</Badge>}
            <UploadState of={upload} />
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
            {waits > 0 && (
              <Figure
                name={upload.rehearsal ? "Would wait for a decision" : "Waits for a decision"}
                value={number(waits)}
                tone="attention"
              />
            )}
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
                  <Mistakes of={problem} />
                </li>
              ))}
            </ul>
            <p class="quiet">
              In the report: <code>{code}</code>
            </p>
          </article>
        );
      })}
      {more > 0 && <p>The report has all of them.</p>}
    </section>
  );
}

/** A row's message tells all that is wrong with it; the value is that of its first mistake. */
function Mistakes({ of: { message, row, value } }: { of: Problem }) {
  const second = row === undefined ? -1 : message.indexOf(` Row ${row}`);
  return (
    <>
      {second < 0 ? message : message.slice(0, second)}
      {value !== undefined && (
        <>
          {" "}
          <code>{value}</code>
        </>
      )}
      {second >= 0 && message.slice(second)}
    </>
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
        That would wait for an approval. {why?.meaning}
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

type Person = Schemas["HeldPerson"];

const collator = new Intl.Collator();
const byName = (one: Person, other: Person) =>
  collator.compare(one.last_name, other.last_name) || collator.compare(one.first_name, other.first_name);

interface HeldProps {
  portal: string;
  path: string;
  upload: Upload;
  codes: Catalogue;
  found: Loaded<Upload>;
}

function Held({ portal, path, upload, codes, found }: HeldProps) {
  const { api } = useAround();
  const people = useList<Person>(`${path}/held-disables?limit=50`);
  const deed = useDeed();
  const document = useDocument(path);
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
      <button type="button" class="harm" onClick={() => setAsking("approve")}>
        Approve
      </button>
    </div>
  );
  const items = people.value?.items ?? [];
  const groups: [string, Person[]][] = [
    ["Would be made inactive", items.filter(({ action }) => action === "disable").sort(byName)],
    ["Would be created", items.filter(({ action }) => action === "create").sort(byName)],
  ];
  const inactive = several(disables, "person", "people");
  const created = several(creates, "person", "people");
  const approving =
    disables === 0
      ? `Create ${created}?`
      : `Make ${inactive} inactive${creates > 0 ? `, and create ${created}` : ""}?`;
  return (
    <section class="held" aria-labelledby="held">
      <h2 id="held">A decision is needed</h2>
      <p>
        <strong>{heldPeople(upload.held)}.</strong>{" "}
        {why?.meaning} Everything else in the file has been done. {why?.how_to_fix}
      </p>
      {items.length > LONG && decision}
      {upload.report_ready && (
        <p>
          <button type="button" class="secondary outline small" onClick={() => document.open("report")}>
            Download this list
          </button>{" "}
          <span class="quiet">In the report they are the lines “held”.</span>
        </p>
      )}
      <Trouble of={document.deed.trouble} />
      {people.value ? (
        <>
          {groups.map(
            ([label, group]) =>
              group.length > 0 && (
                <>
                  <h3>{label}</h3>
                  <Table label={label} head={["Name", "Email"]}>
                    {group.map((person) => (
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
                      </tr>
                    ))}
                  </Table>
                </>
              ),
          )}
          {people.more && (
            <p class="quiet">
              {several(items.length, "person", "people")} of {number(disables + creates)} are shown.
            </p>
          )}
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
          title={asking === "approve" ? approving : `Reject ${several(disables + creates, "change", "changes")}?`}
          yes={asking === "approve" ? "Approve" : "Reject"}
          harm={asking === "approve"}
          deed={deed}
          onYes={() => void decide(asking)}
          onNo={() => setAsking(null)}
        >
          {asking === "approve" ? (
            <p>
              {disables > 0 && "Whoever is inactive cannot sign in. "}People who were changed since the file came stay as
              they are.
            </p>
          ) : (
            <>
              <p>
                Nobody on the list is changed now. The next file is judged anew, and may make them inactive without
                asking, even if it is the same file: what else this one said has been done, and the limits count it.
              </p>
              <p>
                If the export is wrong, correct it before the next file. Auto-disable, where it is on, can be switched
                off under <a href={ofPortal(portal, "/mapping")}>Data mapping</a>.
              </p>
            </>
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

/** When the same file is not taken any more. */
const TOO_LATE = {
  whole: "If a newer file was applied since, this one is too late and will not be accepted.",
  alone: "If a newer file of the same name was applied since, this one is too late and will not be accepted.",
};
/** Why a file was not accepted that may be accepted as it is, once the mapping or the authorisation is another. */
const CURABLE: string[] = ["feed_not_authorised", "no_mapping", "mapping_outdated", "missing_header", "duplicate_header"];

/** Reports to download, and a way to process the same file once more. */
function Documents({ path, upload, portal }: { path: string; upload: Upload; portal: string }) {
  const { api } = useAround();
  const go = useGo();
  const deed = useDeed();
  const document = useDocument(path);
  const [asking, setAsking] = useState(false);
  // What becomes of the same file now, or of a corrected one.
  const now = useFeedNow(portal);
  const replay = () =>
    deed.run(async () => {
      const { upload_id } = await api.post<Upload>(`${path}/replay`);
      setAsking(false);
      go(ofPortal(portal, `/uploads/${upload_id}`));
    });
  const rejectedRows = upload.report_ready && upload.rows.not_processed > 0 && upload.kind === "feed";
  // While it waits for a decision, processing it again would be one, and nobody would see it.
  const refused = upload.status === "rejected" && !upload.problems.some(({ code }) => CURABLE.includes(code));
  const repeatable = upload.kind === "feed" && upload.key !== "" && upload.status !== "held" && !refused;
  const rehearsed = upload.rehearsal && upload.status !== "rejected" && upload.status !== "failed";
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
          <button
            type="button"
            class="secondary outline"
            onClick={() => {
              // What waits may have come, or gone, since.
              void now.again();
              setAsking(true);
            }}
          >
            {upload.rehearsal ? "Rehearse again" : "Process again"}
          </button>
        )}
        {rehearsed && (
          <a role="button" href={ofPortal(portal, `/uploads?apply=${upload.upload_id}`)}>
            Apply this file
          </a>
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
          title={upload.rehearsal ? "Rehearse this file again?" : "Process this file again?"}
          yes={upload.rehearsal ? "Rehearse again" : "Process again"}
          ready={now.value !== null}
          deed={deed}
          onYes={() => void replay()}
          onNo={() => setAsking(false)}
        >
          <p>
            The same file is read once more, by the mapping and settings of now.{" "}
            {upload.rehearsal ? "Nobody is changed." : now.value && TOO_LATE[now.value.autoDisable ? "whole" : "alone"]}
          </p>
          {!upload.rehearsal && <Dropped held={now.value?.held ?? null} />}
          <Trouble of={now.trouble} again={() => void now.again()} />
        </Question>
      )}
    </>
  );
}
