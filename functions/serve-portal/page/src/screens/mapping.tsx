// Data mapping: authorise the feed, show a sample file, match its columns to Go1 fields. Done, there are files.

import { useState } from "preact/hooks";
import type { Field, Inspection, Mapping, PageOf, Portal } from "../api";
import { Frame } from "../frame";
import { useAround, useDeed, useGo, useLoaded, useTitle } from "../loading";
import { Dropped, Matching, type Matched, type Sample } from "../matching";
import { Badge, Heading, Notice, Question, save, Table, Trouble, Waiting } from "../parts";
import { ofPortal } from "../place";
import { firstRows } from "../sample";
import { moment } from "../words";

interface Known {
  portal: Portal;
  fields: Field[];
  mapping: Mapping | null;
  /** The newest that was saved, also if it has been reset since: its choices are offered again. */
  newest: Mapping | null;
  hasCredentials: boolean;
}

export function DataMapping({ portal }: { portal: string }) {
  const of = `/portals/${portal}`;
  const known = useLoaded<Known>(async (api) => {
    const [about, fields, mapping, versions, credentials] = await Promise.all([
      api.get<Portal>(of),
      api.all<Field>(`${of}/feed/fields`),
      api.getUnless<Mapping>("mapping_not_found", `${of}/feed/mapping`),
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
  const { mapping, newest, fields, hasCredentials } = known;
  if (!known.portal.feed.authorised) return <Authorise portal={portal} again={again} />;
  if (sample) {
    const done = (matched: Matched) =>
      saving.run(async () => {
        await api.put(`/portals/${portal}/feed/mapping`, matched);
        if (hasCredentials) {
          await again();
          setSample(null);
        } else {
          go(ofPortal(portal, "/credentials"));
        }
      });
    return (
      <Matching
        fields={fields}
        sample={sample}
        before={newest}
        held={known.portal.feed.held}
        saving={saving}
        done={(matched) => void done(matched)}
        back={() => {
          saving.forget();
          setSample(null);
        }}
      />
    );
  }
  if (!mapping) {
    return (
      <>
        <Heading title="Data mapping">
          Show us a sample of the file that your HR system will send. You will match its columns to Go1 fields next.
        </Heading>
        <SampleFile portal={portal} found={setSample} />
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
      <p>
        By authorising it you allow files that are sent to your portal to create and update user accounts on your behalf,
        by the matching of columns that you choose next. Nothing happens until a file is sent, and you can withdraw the
        authorisation at any time.
      </p>
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
  const [unusable, setUnusable] = useState<{ name: string; of: Inspection } | null>(null);
  const look = (file: File | undefined) =>
    file &&
    looking.run(async () => {
      setUnusable(null);
      const inspection = await api.inspect(portal, file);
      if (inspection.columns.length === 0 || inspection.problems.some((problem) => problem.severity === "file")) {
        setUnusable({ name: file.name, of: inspection });
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
      {unusable && (
        <Notice tone="bad" title={`${unusable.name} cannot be used.`}>
          <ul>
            {unusable.of.problems.map((problem) => (
              <li>
                {problem.message}
              </li>
            ))}
            {unusable.of.problems.length === 0 && <li>It has no columns.</li>}
          </ul>
          <p>Correct the file, then drop it again.</p>
        </Notice>
      )}
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
  const label = (name: string) => known.fields.find((field) => field.name === name)?.label ?? name;
  const yes = (path: string) =>
    deed.run(async () => {
      await api.remove(`/portals/${portal}/feed/${path}`);
      await again();
      setAsking(null);
    });
  const no = () => {
    deed.forget();
    setAsking(null);
  };
  // Without a sample there are columns, and nothing to show of them.
  const rematch = () =>
    change({
      name: `version ${mapping.version}`,
      inspection: {
        columns: mapping.columns.map((name) => ({ name, samples: [] })),
        suggested: mapping.fields.map(({ field, column }) => ({ field, column })),
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
        {mapping.fields.map(({ field, column, on_empty }) => (
          <tr>
            <th scope="row">{label(field)}</th>
            <td>{column}</td>
            <td>{on_empty === "clear" ? "clears the value" : "keeps the value"}</td>
          </tr>
        ))}
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
      <Versions portal={portal} current={mapping.version} held={feed.held} again={again} />
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

interface VersionsProps {
  portal: string;
  current: number;
  held: Portal["feed"]["held"];
  again: () => Promise<void>;
}

/** Earlier mappings, to go back to. */
function Versions({ portal, current, held, again }: VersionsProps) {
  const { api } = useAround();
  const path = `/portals/${portal}/feed/mapping/versions`;
  const versions = useLoaded((api) => api.all<Mapping>(path), `${path}#${current}`);
  const deed = useDeed();
  const [back, setBack] = useState<Mapping | null>(null);
  const use = (mapping: Mapping) =>
    deed.run(async () => {
      await api.put(`/portals/${portal}/feed/mapping`, mapping);
      await again();
      setBack(null);
    });
  if (!versions.value) return versions.trouble && <Waiting trouble={versions.trouble} again={versions.again} />;
  const earlier = versions.value.filter(({ version }) => version !== current);
  if (earlier.length === 0) return null;
  return (
    <details>
      <summary>Earlier versions ({earlier.length})</summary>
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
                aria-label={`Use version ${mapping.version} again`}
                onClick={() => setBack(mapping)}
              >
                Use again
              </button>
            </td>
          </tr>
        ))}
      </Table>
      {back && (
        <Question
          title={`Use version ${back.version} again?`}
          yes="Use again"
          deed={deed}
          onYes={() => void use(back)}
          onNo={() => {
            deed.forget();
            setBack(null);
          }}
        >
          <p>Files that arrive from now on are read by a copy of it. Your AWS credentials stay as they are.</p>
          <Dropped held={held} />
        </Question>
      )}
    </details>
  );
}

