// Configuration of the feed: when a file waits for somebody, whether a file is missed, and who is told.

import { useState } from "preact/hooks";
import type { Schemas } from "../api";
import { Frame } from "../frame";
import { useStaying } from "../leaving";
import { type Loaded, useAround, useDeed, useLoaded, useTitle } from "../loading";
import { Badge, Heading, Notice, Trouble, Waiting } from "../parts";

type Settings = Required<Schemas["FeedSettingsBody"]>;

export function FeedSettings({ portal }: { portal: string }) {
  const path = `/portals/${portal}/feed/settings`;
  const settings = useLoaded((api) => api.get<Settings>(path), path);
  useTitle("Settings");
  return (
    <Frame portal={portal}>
      <Heading title="Settings">When the feed waits for you, and whom it tells.</Heading>
      {settings.value ? (
        <>
          <Trouble of={settings.trouble} again={settings.again} />
          <Form path={path} settings={settings.value} loaded={settings} />
        </>
      ) : (
        <Waiting trouble={settings.trouble} again={settings.again} />
      )}
    </Frame>
  );
}

/** The settings as they stand in the form. */
type Draft = ReturnType<typeof draftOf>;

const draftOf = (settings: Settings) => ({
  percent: String(settings.disable_limit_percent),
  floor: String(settings.disable_limit_floor),
  malformed: settings.hold_on_malformed_rows,
  expect: settings.expect_file_every_hours === null ? "" : String(settings.expect_file_every_hours),
  emails: settings.notify_emails.join("\n"),
});

const NAMES: Record<keyof Draft, string> = {
  percent: "Percent",
  floor: "People",
  malformed: "Wrong number of cells",
  expect: "Hours",
  emails: "Email addresses",
};

const PARTS = Object.keys(NAMES) as (keyof Draft)[];

const settingsOf = ({ percent, floor, malformed, expect, emails }: Draft): Settings => ({
  disable_limit_percent: Number(percent),
  disable_limit_floor: Number(floor),
  hold_on_malformed_rows: malformed,
  expect_file_every_hours: expect === "" ? null : Number(expect),
  notify_emails: emails.split(/[\s,;]+/).filter(Boolean),
});

function Form({ path, settings, loaded }: { path: string; settings: Settings; loaded: Loaded<Settings> }) {
  const { api, session } = useAround();
  const deed = useDeed();
  const [saved, setSaved] = useState(false);
  const shown = draftOf(settings);
  const [draft, setDraft] = useState(shown);
  /** What somebody else has changed while the form was open. */
  const [theirs, setTheirs] = useState<(keyof Draft)[]>([]);
  const own = PARTS.filter((part) => draft[part] !== shown[part]);
  useStaying(own.length > 0 && !deed.busy ? "The settings are not saved. Leave without saving?" : null);
  const change = (part: Partial<Draft>) => {
    setSaved(false);
    setDraft({ ...draft, ...part });
  };
  const submit = (event: Event) => {
    event.preventDefault();
    void deed.run(async () => {
      const latest = await api.get<Settings>(path);
      const now = draftOf(latest);
      const changed = PARTS.filter((part) => now[part] !== shown[part]);
      setTheirs(changed);
      setSaved(false);
      loaded.set(latest);
      if (changed.length > 0) {
        // Whatever is not one's own is shown as it is now; nothing is saved before that was seen.
        setDraft({ ...now, ...Object.fromEntries(own.map((part) => [part, draft[part]])) });
        return;
      }
      const kept = await api.put<Settings>(path, settingsOf(draft));
      loaded.set(kept);
      setDraft(draftOf(kept));
      setSaved(true);
    });
  };
  return (
    <form onSubmit={submit}>
      <fieldset>
        <legend>Before many people are made inactive</legend>
        <p>
          A file that would make unusually many people inactive waits for your approval; the rest of it is done at once.
          It waits if they are more than both of these:
        </p>
        <div class="grid">
          <label>
            Percent of the people whom the feed manages
            <input
              type="number"
              min={0}
              max={100}
              required
              value={draft.percent}
              onInput={(event) => change({ percent: event.currentTarget.value })}
            />
          </label>
          <label>
            People
            <input
              type="number"
              min={0}
              max={10_000_000}
              required
              value={draft.floor}
              onInput={(event) => change({ floor: event.currentTarget.value })}
            />
          </label>
        </div>
        <label>
          <input
            type="checkbox"
            role="switch"
            checked={draft.malformed}
            onChange={(event) => change({ malformed: event.currentTarget.checked })}
          />
          Wait also if a row has the wrong number of cells and somebody is missing
        </label>
        <p>Whatever you enter, a file that would make somebody inactive also waits when</p>
        <ul>
          <li>that is more than half of the people whom the feed manages, where there are at least three;</li>
          <li>it has fewer than half the rows of the last file, where that one had at least 20;</li>
          <li>more of its rows than both of these numbers could not be processed.</li>
        </ul>
        <p>
          Where people wait to be made inactive and the file would also create more people than the limit, the new ones
          wait, too: they may be the same people under other addresses.
        </p>
      </fieldset>
      <fieldset>
        <legend>If no file comes</legend>
        <label>
          Expect a file every so many hours
          <input
            type="number"
            min={1}
            max={8760}
            value={draft.expect}
            aria-describedby="expect-help"
            onInput={(event) => change({ expect: event.currentTarget.value })}
          />
          <small id="expect-help">Empty: no file is expected. For a nightly file, 26 leaves it some room.</small>
        </label>
      </fieldset>
      <fieldset>
        <legend>Who is told by email</legend>
        {!session.config.mails && (
          <Notice tone="attention" title="No emails are sent here.">
            <p>
              Addresses are kept, and nobody is written to. Look at the Overview of the data feed, or ask Go1 to switch
              emails on.
            </p>
          </Notice>
        )}
        <label>
          Email addresses, one a line
          <textarea
            rows={3}
            value={draft.emails}
            aria-describedby="emails-help"
            onInput={(event) => change({ emails: event.currentTarget.value })}
          />
          <small id="emails-help">
            {session.config.mails &&
              "They hear of files that wait for you, were not accepted, failed or did not come; not of rehearsals. "}
            Up to 20.
          </small>
        </label>
      </fieldset>
      <Trouble of={deed.trouble} />
      <div aria-live="polite">
        {theirs.length > 0 && (
          <Notice tone="attention" title="Somebody has changed the settings meanwhile. Nothing is saved yet." inLive>
            <ul>
              {theirs.map((part) => (
                <li>
                  {NAMES[part]}: now {said(shown[part])}
                  {own.includes(part) && `; yours, ${said(draft[part])}, takes its place if you save`}.
                </li>
              ))}
            </ul>
          </Notice>
        )}
      </div>
      <div class="actions">
        <button type="submit" aria-busy={deed.busy} disabled={deed.busy}>
          Save
        </button>
        <span aria-live="polite">{saved && <Badge tone="good">Saved.</Badge>}</span>
      </div>
    </form>
  );
}

/** A value of the form, in a sentence. */
function said(value: string | boolean): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  return value === "" ? "empty" : value.replaceAll("\n", ", ");
}
