// Configuration of the feed: when a file waits for somebody, whether a file is missed, and who is told.

import { useState } from "preact/hooks";
import type { Schemas } from "../api";
import { Frame } from "../frame";
import { type Loaded, useAround, useDeed, useLoaded, useTitle } from "../loading";
import { Heading, Notice, Trouble, Waiting } from "../parts";

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

function Form({ path, settings, loaded }: { path: string; settings: Settings; loaded: Loaded<Settings> }) {
  const { api } = useAround();
  const deed = useDeed();
  const [saved, setSaved] = useState(false);
  const [draft, setDraft] = useState({
    ...settings,
    percent: String(settings.disable_limit_percent),
    floor: String(settings.disable_limit_floor),
    expect: settings.expect_file_every_hours === null ? "" : String(settings.expect_file_every_hours),
    emails: settings.notify_emails.join("\n"),
  });
  const change = (part: Partial<typeof draft>) => {
    setSaved(false);
    setDraft({ ...draft, ...part });
  };
  const submit = (event: Event) => {
    event.preventDefault();
    void deed.run(async () => {
      const { percent, floor, hold_on_malformed_rows, expect, emails } = draft;
      loaded.set(
        await api.put<Settings>(path, {
          disable_limit_percent: Number(percent),
          disable_limit_floor: Number(floor),
          hold_on_malformed_rows,
          expect_file_every_hours: expect === "" ? null : Number(expect),
          notify_emails: emails.split(/[\s,;]+/).filter(Boolean),
        }),
      );
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
            checked={draft.hold_on_malformed_rows}
            onChange={(event) => change({ hold_on_malformed_rows: event.currentTarget.checked })}
          />
          Wait also if a row has the wrong number of cells and somebody is missing
        </label>
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
        <label>
          Email addresses, one a line
          <textarea
            rows={3}
            value={draft.emails}
            aria-describedby="emails-help"
            onInput={(event) => change({ emails: event.currentTarget.value })}
          />
          <small id="emails-help">
            They hear of files that wait for you, were not accepted, failed or did not come. Up to 20.
          </small>
        </label>
      </fieldset>
      <Trouble of={deed.trouble} />
      <div aria-live="polite">{saved && <Notice tone="good" title="Saved." inLive />}</div>
      <div class="actions">
        <button type="submit" aria-busy={deed.busy} disabled={deed.busy}>
          Save
        </button>
      </div>
    </form>
  );
}
