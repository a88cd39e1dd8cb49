// Upload history: every file that came, what became of it, and a way to send one from here.

import { useEffect, useRef, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { type PageOf, putFile, type Schemas, type Upload } from "../api";
import { Chart } from "../chart";
import { useStep } from "../focus";
import { Frame } from "../frame";
import { useStaying } from "../leaving";
import { asRefused, useAround, useDeed, useFeedNow, useGo, useList, useLoaded, usePoll, useTitle } from "../loading";
import { Dropped } from "../matching";
import { Badge, Heading, More, Nothing, Notice, Table, Trouble, UploadState, Waiting } from "../parts";
import { ofPortal } from "../place";
import { bytes, changes, isRunning, moment, number, percent, uploadName } from "../words";

/** How often what runs is asked about. */
const POLL_MS = 2000;
/** How often what does not run: a file may come at any time. */
const IDLE_POLL_MS = 20_000;
/** Of what runs, the whole list is asked for only every so many times: it is long. */
const WHOLE_LIST = 10;
/** How many of those that run are asked about. The others wait, since a portal's files follow one another. */
const RUNNING = 3;
/** How many uploads the chart shows. */
const CHARTED = 30;

const uploadId = ({ upload_id }: Upload) => upload_id;

export function Uploads({ portal }: { portal: string }) {
  const path = `/portals/${portal}/uploads`;
  const uploads = useList<Upload>(`${path}?limit=${CHARTED}`, uploadId);
  const { query } = useLocation();
  const [sending, setSending] = useState("send" in query || "apply" in query);
  useStep(String(sending));
  const items = uploads.value?.items;
  // A rehearsal has changed nobody.
  const applied = items?.filter(({ rehearsal }) => !rehearsal).slice(0, CHARTED) ?? [];
  const running = items?.filter(isRunning) ?? [];
  const turns = useRef(0);
  const again = () =>
    running.length === 0 || ++turns.current % WHOLE_LIST === 0
      ? uploads.again()
      : uploads.refresh(running.slice(-RUNNING), ({ upload_id }) => `${path}/${upload_id}`);
  usePoll({ ...uploads, again }, running.length > 0 ? POLL_MS : IDLE_POLL_MS);
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
      {sending && <Send portal={portal} rehearsed={query["apply"]} close={() => setSending(false)} />}
      {!items && <Waiting trouble={uploads.trouble} again={uploads.again} />}
      {items?.length === 0 && (
        <Nothing title="No file has come yet.">
          <p>
            Your HR system sends files with the <a href={ofPortal(portal, "/credentials")}>AWS credentials</a>. For a first
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
  const { rows, others } = upload;
  const name = uploadName(upload);
  const counts = [rows.created, rows.updated + others.updated, rows.disabled + others.disabled, rows.not_processed];
  return (
    <tr>
      <th scope="row">
        <a href={ofPortal(portal, `/uploads/${upload.upload_id}`)}>{name}</a>{" "}
        {upload.rehearsal && <Badge tone="plain">Rehearsal</Badge>}
      </th>
      <td class="when">{moment(upload.received_at)}</td>
      <td>
        <UploadState of={upload} />
        {isRunning(upload) && <progress aria-label={`Progress of ${name}`} max={100} value={upload.progress_percent} />}
      </td>
      {counts.map((count) => (
        <td class="number">{number(count)}</td>
      ))}
    </tr>
  );
}

interface SendProps {
  portal: string;
  /** The rehearsal of a file that is to be applied now. */
  rehearsed: string | undefined;
  close: () => void;
}

/** A file from this computer. It goes straight to the bucket, as the HR system's do. */
function Send({ portal, rehearsed, close }: SendProps) {
  const { api, session } = useAround();
  const go = useGo();
  const deed = useDeed();
  const feed = useFeedNow(portal);
  const of = `/portals/${portal}/uploads`;
  const before = useLoaded<Upload | null>(
    async (api) =>
      rehearsed ? api.getUnless<Upload>("upload_not_found", `${of}/${encodeURIComponent(rehearsed)}`) : null,
    `${of}/${rehearsed}`,
  );
  const stop = useRef(new AbortController());
  const chooser = useRef<HTMLInputElement>(null);
  useEffect(() => {
    chooser.current?.focus();
    // Whoever goes to another screen has asked to (`useStaying`); without this one nobody would hear of the file.
    return () => stop.current.abort();
  }, []);
  const [file, setFile] = useState<File | null>(null);
  const [rehearsal, setRehearsal] = useState(!rehearsed);
  const [sent, setSent] = useState(0);
  useStaying(deed.busy && sent < 1 ? "The file is still being sent. Leave, and stop sending it?" : null);
  const most = session.config.max_file_bytes;
  const tooLarge = file !== null && file.size > most;
  // What a file does to those who are not in it is said before it is sent.
  const ready = file !== null && !tooLarge && (rehearsal || feed.value !== null);
  const send = (event: Event) => {
    event.preventDefault();
    if (!file || !ready) return;
    const { signal } = stop.current;
    void deed.run(async () => {
      setSent(0);
      const link = await api.post<Schemas["UploadLinkAnswer"]>(of, { file_name: file.name, rehearsal });
      const known = new Set((await api.get<PageOf<Upload>>(`${of}?limit=20`)).items.map(uploadId));
      // All of it has left here a moment before the bucket says that it has it.
      await putFile(link.url, file, setSent, signal).catch((error: unknown) => {
        setSent(0);
        throw error;
      });
      setSent(1);
      // S3 tells the feed of the file, most often within a second.
      for (let tries = 0; tries < 60 && !signal.aborted; tries++) {
        const items = await api.get<PageOf<Upload>>(`${of}?limit=20`).then(
          (page) => page.items,
          (error: unknown) => {
            // The file is there, whoever else cannot be reached.
            if (asRefused(error).status === 401) throw error;
            return [];
          },
        );
        const here = items.find(({ key, upload_id }) => key === link.key && !known.has(upload_id));
        if (here) return go(ofPortal(portal, `/uploads/${here.upload_id}`));
        await new Promise((done) => setTimeout(done, 1000));
      }
    });
  };
  const isSent = sent === 1;
  const isOver = isSent && !deed.busy;
  return (
    <form class="panel" onSubmit={send}>
      <h2>{rehearsed ? "Apply a file that was rehearsed" : "Upload a file"}</h2>
      {before.value && (
        <p>
          The rehearsal of {uploadName(before.value)} said: {changes(before.value)}. Choose the same file.
        </p>
      )}
      <label>
        CSV file
        <input
          ref={chooser}
          type="file"
          accept=".csv,text/csv"
          required
          disabled={deed.busy || isSent}
          onChange={(event) => {
            deed.forget();
            setFile(event.currentTarget.files?.[0] ?? null);
          }}
        />
      </label>
      {tooLarge && (
        <Notice tone="bad" title="The file is too large.">
          <p>
            It has {bytes(file.size)}, and the feed takes {bytes(most)}. Leave out columns that are not matched, or ask
            Go1 to raise the limit.
          </p>
        </Notice>
      )}
      <label>
        <input
          type="checkbox"
          role="switch"
          checked={rehearsal}
          disabled={deed.busy || isSent}
          aria-describedby="rehearsal-help"
          onChange={(event) => {
            setRehearsal(event.currentTarget.checked);
            // What waits may have come, or gone, since.
            void feed.again();
          }}
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
      <Trouble of={feed.trouble} again={() => void feed.again()} />
      <div aria-live="polite">
        {deed.busy && (
          <p>
            {isSent ? "Sent. Waiting for the feed to take it…" : `Sending, ${percent(Math.floor(sent * 100))}`}
            <progress aria-label="Sent" max={1} value={sent} />
          </p>
        )}
        {isOver && (
          <Notice tone="running" title="The file was sent." inLive>
            <p>The feed has not taken it yet. It will appear in the history below; do not send it again.</p>
          </Notice>
        )}
      </div>
      <Trouble of={deed.trouble} />
      <div class="actions">
        <button type="button" class="secondary outline" onClick={close}>
          {isSent ? "Close" : "Cancel"}
        </button>
        {!isOver && (
          <button type="submit" aria-busy={deed.busy} disabled={deed.busy || !ready}>
            {rehearsal ? "Rehearse" : "Upload and apply"}
          </button>
        )}
      </div>
    </form>
  );
}
