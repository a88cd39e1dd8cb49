// Data mapping: authorise the feed, show a sample file, match its columns to Go1 fields. Done, there are files.

import { useState } from "preact/hooks";
import { type Api, type Code, type Field, type Inspection, type Mapping, type PageOf, type Portal, Refused } from "../api";
import { Frame } from "../frame";
import { useAround, useDeed, useGo, useLoaded, useTitle } from "../loading";
import { columnsOf, Dropped, Matching, type Matched, onEmptyCell, type Sample } from "../matching";
import { Badge, Heading, Notice, Question, save, Table, Trouble, Waiting } from "../parts";
import { ofPortal } from "../place";
import { firstRows } from "../sample";
import { moment } from "../words";

const ofMapping = (portal: string) => `/portals/${portal}/feed/mapping`;

/** The mapping in use, by the API. */
const inUse = (api: Api, portal: string) => api.getUnless<Mapping>("mapping_not_found", ofMapping(portal));

const isAnother = (one: Mapping | null, other: Mapping | null) => one?.version !== other?.version;

interface Known {
  portal: Portal;
  fields: Field[];
  mapping: Mapping | null;
  /** The newest that was saved, also if it has been reset since: what it says is begun with. */
  newest: Mapping | null;
  hasCredentials: boolean;
}

export function DataMapping({ portal }: { portal: string }) {
  const of = `/portals/${portal}`;
  const known = useLoaded<Known>(async (api) => {
    const [about, fields, mapping, versions, credentials] = await Promise.all([
      api.get<Portal>(of),
      api.all<Field>(`${of}/feed/fields`),
      inUse(api, portal),
      api.get<PageOf<Mapping>>(`${of}/feed/mapping/versions?limit=1`),
      api.getUnless("no_credentials", `${of}/feed/credentials`),
    ]);
    const newest = versions.items[0] ?? null;
    return { portal: about, fields, mapping, newest, hasCredentials: credentials !== null };
  }, of);
  useTitle("Data mapping");
  return (
    <Frame portal={portal}>
      {known.value ? (
        <>
          <Trouble of={known.trouble} again={known.again} />
          <Steps portal={portal} known={known.value} again={known.again} />
        </>
      ) : (
        <>
          <Heading title="Data mapping" />
          <Waiting trouble={known.trouble} again={known.again} />
        </>
      )}
    </Frame>
  );
}

function Steps({ portal, known, again }: { portal: string; known: Known; again: () => Promise<void> }) {
  const { api } = useAround();
  const go = useGo();
  const [sample, setSample] = useState<Sample | null>(null);
  const saving = useDeed();
  /** Somebody has saved another mapping, or reset it, while this one was matched. */
  const [quicker, setQuicker] = useState<{ theirs: Mapping | null; mine: Matched } | null>(null);
  const { mapping, newest, fields, hasCredentials } = known;
  const { groups, feed } = known.portal;
  if (!feed.authorised) return <Authorise portal={portal} again={again} />;
  if (sample) {
    /** `over` is what whoever saves has seen. */
    const done = (mine: Matched, over: Mapping | null) =>
      saving.run(async () => {
        const theirs = await inUse(api, portal);
        if (isAnother(theirs, over)) {
          setQuicker({ theirs, mine });
          return;
        }
        await api.put(ofMapping(portal), mine);
        setQuicker(null);
        if (hasCredentials) {
          await again();
          setSample(null);
        } else {
          go(ofPortal(portal, "/credentials"));
        }
      });
    return (
      <>
        <Matching
          fields={fields}
          groups={groups}
          sample={sample}
          before={sample.name === null ? mapping : newest}
          held={feed.held}
          saving={saving}
          done={(mine) => void done(mine, mapping)}
          back={() => {
            saving.forget();
            setSample(null);
          }}
        />
        {quicker && (
          <Question
            title={
              quicker.theirs
                ? `Somebody has saved version ${quicker.theirs.version} meanwhile`
                : "Somebody has reset the data mapping meanwhile"
            }
            yes="Save mine instead"
            harm
            deed={saving}
            onYes={() => void done(quicker.mine, quicker.theirs)}
            onNo={() => {
              saving.forget();
              setQuicker(null);
            }}
          >
            {quicker.theirs && <Differences fields={fields} theirs={quicker.theirs} mine={quicker.mine} />}
            <p>Only one can be in use. The other one stays among the earlier versions, if it was saved.</p>
          </Question>
        )}
      </>
    );
  }
  if (!mapping) {
    return (
      <>
        <Heading title="Data mapping">
          Show us a sample of the file that your HR system will send. You will match its columns to Go1 fields next.
        </Heading>
        <SampleFile portal={portal} found={setSample} />
        {newest && <Versions portal={portal} current={null} newest={newest} held={feed.held} again={again} />}
      </>
    );
  }
  return <Mapped portal={portal} known={known} mapping={mapping} again={again} change={setSample} />;
}

function Authorise({ portal, again }: { portal: string; again: () => Promise<void> }) {
  const { api, person } = useAround();
  const deed = useDeed();
  const authorise = () =>
    deed.run(async () => {
      await api.put(`/portals/${portal}/feed/authorisation`);
      await again();
    });
  return (
    <>
      <Heading title="Authorise the data feed">
        The data feed keeps your users in Go1 in step with another system, most often your HR system.
      </Heading>
      <p>By authorising it you allow files that are sent to your portal, by the columns that you match next, to</p>
      <ul>
        <li>create users, and change their names, email addresses and other details,</li>
        <li>make users inactive, and active again,</li>
        <li>add users to groups, which assigns them what the groups learn,</li>
        <li>set who manages whom, and give and take roles, that of Administrator among them.</li>
      </ul>
      <p>All of it is done on your behalf. Nothing happens until a file is sent, and you can withdraw the authorisation at any time.</p>
      <p>It will be recorded as yours, {person.email}, and the feed will never make your own account inactive.</p>
      <Trouble of={deed.trouble} />
      <button type="button" aria-busy={deed.busy} disabled={deed.busy} onClick={() => void authorise()}>
        Authorise the data feed
      </button>
    </>
  );
}

/** Where a sample is dropped, and what is wrong with it if it cannot be used. */
function SampleFile({ portal, found }: { portal: string; found: (sample: Sample) => void }) {
  const { api } = useAround();
  const looking = useDeed();
  const template = useDeed();
  const [over, setOver] = useState(false);
  const [unusable, setUnusable] = useState<Unusable | null>(null);
  const look = (file: File | undefined) =>
    file &&
    looking.run(async () => {
      setUnusable(null);
      const inspection = await api.inspect(portal, file);
      if (inspection.columns.length === 0 || inspection.problems.some((problem) => problem.severity === "file")) {
        const { items } = await api.get<PageOf<Code>>("/problem-codes");
        setUnusable({ name: file.name, problems: inspection.problems, codes: items });
        return;
      }
      found({ name: file.name, inspection, rows: await firstRows(file) });
    });
  const download = () =>
    template.run(async () => save(await api.file(`/portals/${portal}/feed/template.csv`), "go1-template.csv"));
  return (
    <>
      <label
        class={over ? "drop over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          void look(event.dataTransfer?.files[0]);
        }}
      >
        <strong>Drop your sample CSV here, or choose it</strong>
        <span>One or two lines of made-up people are enough. Nothing of it is imported or stored.</span>
        <input
          type="file"
          accept=".csv,text/csv"
          disabled={looking.busy}
          onChange={(event) => {
            const input = event.currentTarget;
            void look(input.files?.[0]);
            // The same file again, corrected, is another change.
            input.value = "";
          }}
        />
      </label>
      <div aria-live="polite">{looking.busy && <p aria-busy="true">Reading your sample…</p>}</div>
      <Trouble of={looking.trouble} />
      {unusable && <CannotBeUsed {...unusable} />}
      <h2>What should be in it?</h2>
      <ul>
        <li>The columns exactly as your system will send them. Their names can be anything.</li>
        <li>
          At least an email, a first name and a last name. Status, role, group and manager are optional, and so are the
          fields that Go1 has added for you.
        </li>
        <li>Saved as CSV UTF-8, with commas between the columns.</li>
      </ul>
      <p>
        <button type="button" class="secondary outline" aria-busy={template.busy} onClick={() => void download()}>
          Download an example file
        </button>
      </p>
      <Trouble of={template.trouble} />
    </>
  );
}

interface Unusable {
  name: string;
  problems: Inspection["problems"];
  codes: Code[];
}

/** What is wrong with a sample, each with what to do about it. */
function CannotBeUsed({ name, problems, codes }: Unusable) {
  return (
    <Notice tone="bad" title={`${name} cannot be used.`}>
      <ul>
        {problems.map((problem) => (
          <li>
            {problem.message}
            <br />
            <strong>What to do:</strong> {codes.find(({ code }) => code === problem.code)?.how_to_fix}
          </li>
        ))}
        {problems.length === 0 && <li>It has no columns. The first line has to name them.</li>}
      </ul>
      {problems.some(({ code }) => code === "wrong_delimiter") && (
        <p>
          Excel separates as Windows is set up, in much of Europe by semicolons. Search for “Region” in the Start menu;
          there, under Additional settings, enter a full stop as Decimal symbol and a comma as List separator. Start Excel
          again, and save the file as “CSV UTF-8 (Comma delimited)”. In an HR system the separator is most often a setting
          of the export.
        </p>
      )}
      <p>Correct the file, then drop it again.</p>
    </Notice>
  );
}

interface DifferencesProps {
  fields: Field[];
  theirs: Mapping;
  mine: Matched;
}

/** In what two mappings differ, line by line. */
function Differences({ fields, theirs, mine }: DifferencesProps) {
  const lines = (of: Matched) => [
    ...fields.map(({ name, label }) => {
      const fed = of.fields.find(({ field }) => field === name);
      return [label, fed ? `${fed.column}${fed.on_empty === "clear" ? ", an empty cell clears" : ""}` : "Not matched"];
    }),
    ["People are recognised by", of.identity === "email" ? "Email address" : "External ID"],
    ["Auto-disable", of.auto_disable ? "On" : "Off"],
  ];
  const wanted = lines(mine);
  const differing = lines(theirs).flatMap(([name, value], at) => {
    const own = wanted[at]![1];
    return own === value ? [] : [{ name, value, own }];
  });
  if (differing.length === 0) return <p>It says the same as yours.</p>;
  return (
    <Table label="Where they differ" head={["", "Theirs", "Yours"]}>
      {differing.map(({ name, value, own }) => (
        <tr>
          <th scope="row">{name}</th>
          <td>{value}</td>
          <td>{own}</td>
        </tr>
      ))}
    </Table>
  );
}

interface MappedProps {
  portal: string;
  known: Known;
  mapping: Mapping;
  again: () => Promise<void>;
  change: (sample: Sample) => void;
}

/** The mapping in use. */
function Mapped({ portal, known, mapping, again, change }: MappedProps) {
  const { api } = useAround();
  const [asking, setAsking] = useState<"reset" | "withdraw" | null>(null);
  const deed = useDeed();
  const { feed } = known.portal;
  const fieldOf = (name: string) => known.fields.find((field) => field.name === name);
  const yes = (path: string) =>
    deed.run(async () => {
      if (path === "mapping") await stillInUse(api, portal, mapping, again);
      await api.remove(`/portals/${portal}/feed/${path}`);
      await again();
      setAsking(null);
    });
  const no = () => setAsking(null);
  // Without a sample there are columns, and nothing to show of them.
  const rematch = () =>
    change({
      name: null,
      inspection: {
        columns: columnsOf(mapping).map((name) => ({ name, samples: [] })),
        suggested: [],
        problems: [],
      },
      rows: [],
    });
  return (
    <>
      <Heading
        title="Data mapping"
        beside={
          <>
            <button type="button" class="secondary outline" onClick={rematch}>
              Change
            </button>
            <button type="button" class="secondary outline" onClick={() => setAsking("reset")}>
              Reset
            </button>
          </>
        }
      >
        Files are read by version {mapping.version}, saved {moment(mapping.created_at)}.
      </Heading>
      <Table label="Matched fields" head={["Go1 field", "Your column", "An empty cell"]}>
        {mapping.fields.map(({ field: name, column, on_empty }) => {
          const field = fieldOf(name);
          return (
            <tr>
              <th scope="row">{field?.label ?? name}</th>
              <td>{column}</td>
              <td>{field ? onEmptyCell(field, on_empty === "clear") : "Go1 has removed this field: match your columns anew"}</td>
            </tr>
          );
        })}
      </Table>
      <ul>
        <li>
          People are recognised by their {mapping.identity === "email" ? "email address" : "external ID"}.
        </li>
        <li>
          {mapping.auto_disable
            ? "Users whom the feed manages are made inactive when they are missing from a file (auto-disable)."
            : "Users who are missing from a file stay as they are."}
        </li>
      </ul>
      <Versions portal={portal} current={mapping} newest={known.newest ?? mapping} held={feed.held} again={again} />
      <h2>Authorisation</h2>
      <p>
        {feed.authorised_by} authorised the data feed{feed.authorised_at && `, ${moment(feed.authorised_at)}`}.
      </p>
      <button type="button" class="secondary outline" onClick={() => setAsking("withdraw")}>
        Withdraw the authorisation
      </button>
      {asking === "reset" && (
        <Question title="Reset the data mapping?" yes="Reset" harm deed={deed} onYes={() => void yes("mapping")} onNo={no}>
          <p>
            You will be asked for a new sample file and match its columns again, for example because there is another
            field. Until you click Done there, <strong>files that arrive are not accepted</strong>.
          </p>
          <Dropped held={feed.held} />
          <p>Your AWS credentials stay as they are.</p>
        </Question>
      )}
      {asking === "withdraw" && (
        <Question
          title="Withdraw the authorisation?"
          yes="Withdraw"
          harm
          deed={deed}
          onYes={() => void yes("authorisation")}
          onNo={no}
        >
          <p>
            From then on files that arrive are not accepted. Your users, mapping and credentials stay as they are. You
            can authorise the data feed again at any time.
          </p>
          <Dropped held={feed.held} />
        </Question>
      )}
    </>
  );
}

/** Nobody has agreed to anything about another mapping than the one that is shown. */
async function stillInUse(api: Api, portal: string, shown: Mapping | null, again: () => Promise<void>): Promise<void> {
  if (!isAnother(await inUse(api, portal), shown)) return;
  await again();
  throw new Refused(
    409,
    null,
    "Somebody has changed the data mapping meanwhile.",
    "What is in use now is shown behind this question. Decide again.",
  );
}

interface VersionsProps {
  portal: string;
  /** `null`: none is in use since a reset. */
  current: Mapping | null;
  newest: Mapping;
  held: Portal["feed"]["held"];
  again: () => Promise<void>;
}

/** Earlier mappings, to go back to. */
function Versions({ portal, current, newest, held, again }: VersionsProps) {
  const { api } = useAround();
  const path = `${ofMapping(portal)}/versions`;
  const versions = useLoaded((api) => api.all<Mapping>(path), `${path}#${newest.version}`);
  const deed = useDeed();
  const [back, setBack] = useState<Mapping | null>(null);
  const use = (mapping: Mapping) =>
    deed.run(async () => {
      await stillInUse(api, portal, current, again);
      await api.put(ofMapping(portal), mapping);
      await again();
      setBack(null);
    });
  const earlier = versions.value?.filter(({ version }) => version !== current?.version) ?? [];
  return (
    <>
      <Trouble of={versions.trouble} again={versions.again} />
      {earlier.length > 0 && (
        <details>
          <summary>{current ? "Earlier versions" : "Or use an earlier version again"} ({earlier.length})</summary>
          <Table label="Earlier versions" head={["Version", "Saved", "Fields", ""]}>
            {earlier.map((mapping) => (
              <tr>
                <th scope="row">{mapping.version}</th>
                <td>{moment(mapping.created_at)}</td>
                <td>
                  {mapping.fields.length} {mapping.auto_disable && <Badge tone="plain">auto-disable</Badge>}
                </td>
                <td>
                  <button
                    type="button"
                    class="secondary outline small"
                    onClick={() => setBack(mapping)}
                  >
                    Use version {mapping.version} again
                  </button>
                </td>
              </tr>
            ))}
          </Table>
        </details>
      )}
      {back && (
        <Question
          title={`Use version ${back.version} again?`}
          yes="Use again"
          deed={deed}
          onYes={() => void use(back)}
          onNo={() => setBack(null)}
        >
          <p>Files that arrive from now on are read by a copy of it. Your AWS credentials stay as they are.</p>
          <Dropped held={held} />
        </Question>
      )}
    </>
  );
}

