// Upload history: every file that came, what became of it, and a way to send one from here.

import { useEffect, useRef, useState } from "preact/hooks";
import { type Mapping, type PageOf, type Portal, putFile, Refused, type Schemas, type Upload } from "../api";
import { Chart } from "../chart";
import { Frame } from "../frame";
import { useAround, useDeed, useGo, useList, useLoaded, usePoll, useStaying, useTitle } from "../loading";
import { Dropped } from "../matching";
import { Badge, Heading, More, Nothing, Table, Trouble, UploadState, Waiting } from "../parts";
import { ofPortal } from "../place";
import { isRunning, moment, number } from "../words";

/** How often what runs is asked about. */
const POLL_MS = 2000;
/** How often what does not run: a file may come at any time. */
const IDLE_POLL_MS = 20_000;
/** How many uploads the chart shows. */
const CHARTED = 30;

const uploadId = ({ upload_id }: Upload) => upload_id;

export function Uploads({ portal }: { portal: string }) {
  const uploads = useList<Upload>(`/portals/${portal}/uploads?limit=${CHARTED}`, uploadId);
  const [sending, setSending] = useState(false);
  const items = uploads.value?.items;
  // A rehearsal has changed nobody.
  const applied = items?.filter(({ rehearsal }) => !rehearsal).slice(0, CHARTED) ?? [];
  const running = items?.some(({ status }) => isRunning(status)) ?? false;
  usePoll(uploads, running ? POLL_MS : IDLE_POLL_MS);
  useTitle("Upload history");
  return (
    <Frame portal={portal}>
      <Heading
        title="Upload history"
        beside={
          !sending && (
            <button type="button" onClick={() => setSending(true)}>
              Upload a file
            </button>
          )
        }
      >
        What became of each file, newest first.
      </Heading>
      {sending && <Send portal={portal} close={() => setSending(false)} />}
      {!items && <Waiting trouble={uploads.trouble} again={uploads.again} />}
      {items?.length === 0 && (
        <Nothing title="No file has come yet.">
          <p>
            Your HR system sends files by the <a href={ofPortal(portal, "/credentials")}>AWS credentials</a>. For a first
            try, upload one here: as a rehearsal it changes nobody.
          </p>
        </Nothing>
      )}
      {items && items.length > 0 && (
        <>
          {applied.length > 1 && <Chart uploads={applied} aside={items.some(({ rehearsal }) => rehearsal)} />}
          <Table
            label="Uploads"
            head={["File", "Received", "Status", "Created", "Updated", "Made inactive", "Not processed"]}
            numbers={4}
          >
            {items.map((upload) => (
              <Line portal={portal} upload={upload} />
            ))}
          </Table>
          <Trouble of={uploads.trouble} again={uploads.again} />
          <More of={uploads} />
        </>
      )}
    </Frame>
  );
}

function Line({ portal, upload }: { portal: string; upload: Upload }) {
  const { rows, others, status } = upload;
  const name = upload.file_name || (upload.kind === "xero" ? "Import from Xero" : "No file came");
  const counts = [rows.created, rows.updated + others.updated, rows.disabled + others.disabled, rows.not_processed];
  return (
    <tr>
      <th scope="row">
        <a href={ofPortal(portal, `/uploads/${upload.upload_id}`)}>{name}</a>{" "}
        {upload.rehearsal && <Badge tone="plain">Rehearsal</Badge>}
      </th>
      <td>{moment(upload.received_at)}</td>
      <td>
        <UploadState of={status} />
        {isRunning(status) && <progress aria-label={`Progress of ${name}`} max={100} value={upload.progress_percent} />}
      </td>
      {counts.map((count) => (
        <td class="number">{number(count)}</td>
      ))}
    </tr>
  );
}

/** A file from this computer. It goes straight to the bucket, as the HR system's do. */
function Send({ portal, close }: { portal: string; close: () => void }) {
  const { api } = useAround();
  const go = useGo();
  const deed = useDeed();
  const feed = useLoaded(async (api) => {
    const [mapping, about] = await Promise.all([
      api.getUnless<Mapping>("mapping_not_found", `/portals/${portal}/feed/mapping`),
      api.get<Portal>(`/portals/${portal}`),
    ]);
    return { autoDisable: mapping?.auto_disable ?? false, held: about.feed.held };
  }, portal);
  const stop = useRef(new AbortController());
  // Whoever goes to another screen has asked to (`useStaying`); without this one nobody would hear of the file.
  useEffect(() => () => stop.current.abort(), []);
  const [file, setFile] = useState<File | null>(null);
  const [rehearsal, setRehearsal] = useState(true);
  const [sent, setSent] = useState(0);
  useStaying(deed.busy && sent < 1 ? "The file is still being sent. Leave, and stop sending it?" : null);
  const send = (event: Event) => {
    event.preventDefault();
    if (!file) return;
    void deed.run(async () => {
      setSent(0);
      const of = `/portals/${portal}/uploads`;
      const link = await api.post<Schemas["UploadLinkAnswer"]>(of, { file_name: file.name, rehearsal });
      const before = new Set((await api.get<PageOf<Upload>>(`${of}?limit=100`)).items.map(({ upload_id }) => upload_id));
      await putFile(link.url, file, setSent, stop.current.signal);
      setSent(1);
      // S3 tells the feed of the file, most often within a second.
      for (let tries = 0; tries < 60 && !stop.current.signal.aborted; tries++) {
        const { items } = await api.get<PageOf<Upload>>(`${of}?limit=20`);
        const here = items.find(({ key, upload_id }) => key === link.key && !before.has(upload_id));
        if (here) {
          go(ofPortal(portal, `/uploads/${here.upload_id}`));
          return;
        }
        await new Promise((done) => setTimeout(done, 1000));
      }
      const detail = "It was sent, and will appear in the history below. Reload the page in a few minutes.";
      throw new Refused(0, null, "The file has not been noticed yet.", detail);
    });
  };
  return (
    <form class="panel" onSubmit={send}>
      <h2>Upload a file</h2>
      <label>
        CSV file
        <input
          type="file"
          accept=".csv,text/csv"
          required
          disabled={deed.busy}
          onChange={(event) => {
            deed.forget();
            setFile(event.currentTarget.files?.[0] ?? null);
          }}
        />
      </label>
      <label>
        <input
          type="checkbox"
          role="switch"
          checked={rehearsal}
          disabled={deed.busy}
          aria-describedby="rehearsal-help"
          onChange={(event) => setRehearsal(event.currentTarget.checked)}
        />
        Rehearsal
      </label>
      <p id="rehearsal-help" class="quiet">
        {rehearsal
          ? "The file is checked and reported in full, and nobody is changed."
          : "The file is applied: users are created, updated and made inactive by it."}
        {feed.value?.autoDisable &&
          ` Everybody whom the feed manages and who is missing from the file ${rehearsal ? "would be" : "is"} made inactive: send a file with all people, not with changes alone.`}
      </p>
      {!rehearsal && <Dropped held={feed.value?.held ?? null} />}
      <div aria-live="polite">
        {deed.busy && (
          <p>
            {sent < 1 ? `Sending, ${Math.round(sent * 100)} %` : "Sent. Waiting for the feed to take it…"}
            <progress aria-label="Sent" max={1} value={sent} />
          </p>
        )}
      </div>
      <Trouble of={deed.trouble} />
      <div class="actions">
        <button type="button" class="secondary outline" onClick={close}>
          {deed.busy && sent === 1 ? "Close" : "Cancel"}
        </button>
        <button type="submit" aria-busy={deed.busy} disabled={deed.busy || !file}>
          {rehearsal ? "Rehearse" : "Upload and apply"}
        </button>
      </div>
    </form>
  );
}
