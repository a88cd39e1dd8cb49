// One user, and changes to them. What is changed here the feed respects, until a file says otherwise.

import { useState } from "preact/hooks";
import { type Portal, Refused, type Schemas, type User } from "../api";
import { Frame } from "../frame";
import { useStaying } from "../leaving";
import { type Loaded, useAround, useDeed, useFeedNow, useLoaded, useTitle } from "../loading";
import { Badge, Heading, Notice, Question, Shown, Trouble } from "../parts";
import { ofPortal } from "../place";
import { moment, several } from "../words";
import { source } from "./users";

const ROLES: Schemas["Role"][] = ["Learner", "Manager", "Content administrator", "Administrator"];

interface Known {
  user: User;
  portal: Portal;
  managers: User[];
  /** Managers who were erased since. */
  erased: number;
}

export function OneUser({ portal, user }: { portal: string; user: string }) {
  const path = `/portals/${portal}/users/${user}`;
  const known = useLoaded<Known>(async (api) => {
    const [found, about] = await Promise.all([api.get<User>(path), api.get<Portal>(`/portals/${portal}`)]);
    const ids = found.manager_ids;
    const managers = await Promise.all(
      ids.map((id) => api.getUnless<User>("user_not_found", `/portals/${portal}/users/${id}`)),
    );
    const left = managers.filter((manager) => manager !== null);
    return { user: found, portal: about, managers: left, erased: ids.length - left.length };
  }, path);
  const name = known.value && `${known.value.user.first_name} ${known.value.user.last_name}`;
  useTitle(name ?? "User");
  return (
    <Frame portal={portal}>
      <p>
        <a href={ofPortal(portal, "/users")}>← Users</a>
      </p>
      <Shown of={known}>{(value) => <Told portal={portal} path={path} known={value} loaded={known} />}</Shown>
    </Frame>
  );
}

interface ToldProps {
  portal: string;
  path: string;
  known: Known;
  loaded: Loaded<Known>;
}

function Told({ portal, path, known, loaded }: ToldProps) {
  const { user, managers, erased } = known;
  const [changing, setChanging] = useState(false);
  const [changed, setChanged] = useState(false);
  const label = (name: string) => known.portal.custom_fields.find((field) => field.name === name)?.label ?? name;
  const group = (id: number) => known.portal.groups.find((group) => group.id === id)?.name ?? `Group ${id}`;
  if (changing) {
    return (
      <Change
        path={path}
        known={known}
        done={async () => {
          await loaded.again();
          setChanging(false);
          setChanged(true);
        }}
        back={() => setChanging(false)}
      />
    );
  }
  return (
    <>
      <Heading
        title={`${user.first_name} ${user.last_name}`}
        beside={
          <>
            <Badge tone={user.status === "active" ? "good" : "plain"}>
              {user.status === "active" ? "Active" : "Inactive"}
            </Badge>
            <button type="button" class="secondary outline" onClick={() => setChanging(true)}>
              Change
            </button>
          </>
        }
      >
        {user.email}
      </Heading>
      {changed && <Notice tone="good" title="Saved." />}
      {user.disabled_by_upload && (
        <Notice tone="attention" title="Made inactive by the feed.">
          <p>
            <a href={ofPortal(portal, `/uploads/${user.disabled_by_upload}`)}>The upload</a> did not have this person any
            more. If a later file has them again, they become active again.
          </p>
        </Notice>
      )}
      <dl class="values">
        <dt>Roles</dt>
        <dd>
          {user.roles.join(", ") || "None"}
          {user.feed_roles.length > 0 && <span class="quiet"> (by the feed: {user.feed_roles.join(", ")})</span>}
        </dd>
        <dt>Groups</dt>
        <dd>{user.group_ids.map(group).join(", ") || "None"}</dd>
        <dt>Managers</dt>
        <dd>
          {managers.length + erased === 0 && "None"}
          {managers.map((manager, index) => (
            <>
              {index > 0 && ", "}
              <a href={ofPortal(portal, `/users/${manager.user_id}`)}>
                {manager.first_name} {manager.last_name}
              </a>
            </>
          ))}
          {erased > 0 && (
            <span class="quiet">
              {managers.length > 0 && ", and "}
              {several(erased, "who is not in the portal any more", "who are not in the portal any more")}
            </span>
          )}
        </dd>
        {user.external_id !== undefined && (
          <>
            <dt>External ID</dt>
            <dd>{user.external_id}</dd>
          </>
        )}
        {Object.entries(user.custom).map(([name, value]) => (
          <>
            <dt>{label(name)}</dt>
            <dd>{String(value)}</dd>
          </>
        ))}
        <dt>Source</dt>
        <dd>
          {source(user)}
          {user.created_at && `, ${moment(user.created_at)}`}
        </dd>
        <dt>Managed by the data feed</dt>
        <dd>{user.feed_managed ? "Yes" : "No"}</dd>
        <dt>Last changed</dt>
        <dd>
          {user.updated_at ? moment(user.updated_at) : "Never"}
          {user.last_upload_id && (
            <>
              ; last touched by <a href={ofPortal(portal, `/uploads/${user.last_upload_id}`)}>this upload</a>
            </>
          )}
        </dd>
      </dl>
    </>
  );
}

interface ChangeProps {
  path: string;
  known: Known;
  done: () => Promise<void>;
  back: () => void;
}

function Change({ path, known: { user, portal, managers }, done, back }: ChangeProps) {
  const { api } = useAround();
  const deed = useDeed();
  const feed = useFeedNow(portal.portal_id);
  const [asking, setAsking] = useState(false);
  const addresses = managers.map(({ email }) => email).join(", ");
  const [draft, setDraft] = useState({
    first_name: user.first_name,
    last_name: user.last_name,
    email: user.email,
    active: user.status === "active",
    roles: user.roles,
    groups: user.group_ids,
    managers: addresses,
  });
  const status = draft.active ? "active" : "inactive";
  const differs =
    draft.first_name !== user.first_name ||
    draft.last_name !== user.last_name ||
    draft.email !== user.email ||
    status !== user.status ||
    !same(draft.roles, user.roles) ||
    !same(draft.groups, user.group_ids) ||
    draft.managers !== addresses;
  useStaying(differs ? "What you have changed is not saved yet. Leave without it?" : null);
  // Files know a person by the address, or once more by it where they have brought no external ID yet.
  const knownByAddress = feed.value?.identity !== "external_id" || user.external_id === undefined;
  const moves = user.feed_managed && spelled(draft.email) !== spelled(user.email);
  const submit = (event: Event) => {
    event.preventDefault();
    if (moves && knownByAddress) setAsking(true);
    else save();
  };
  const save = () =>
    void deed.run(async () => {
      const change: Schemas["ChangeBody"] = {};
      if (draft.first_name !== user.first_name) change.first_name = draft.first_name;
      if (draft.last_name !== user.last_name) change.last_name = draft.last_name;
      if (draft.email !== user.email) change.email = draft.email;
      if (status !== user.status) change.status = status;
      // Untouched, they stay as they are, whoever of them is there still.
      const ids = draft.managers === addresses ? user.manager_ids : await managerIds(draft.managers);
      // Lists are sent whole: what a colleague, or a file, has done to them since is not taken back by that.
      const now = await api.get<User>(path);
      if (!same(draft.roles, user.roles)) change.roles = carried(user.roles, draft.roles, now.roles);
      if (!same(draft.groups, user.group_ids)) change.group_ids = carried(user.group_ids, draft.groups, now.group_ids);
      if (!same(ids, user.manager_ids)) change.manager_ids = carried(user.manager_ids, ids, now.manager_ids);
      await api.patch(path, change);
      await done();
    }).then((isDone) => isDone || setAsking(false));
  // Somebody who manages already is known; the others are looked up.
  const managerIds = async (addresses: string): Promise<string[]> => {
    const wanted = addresses.split(/[,;\s|]+/).filter(Boolean);
    const ids = wanted.map(async (address) => {
      const known = managers.find(({ email }) => email === address);
      if (known) return known.user_id;
      const of = path.slice(0, path.lastIndexOf("/"));
      const [found] = (await api.get<{ items: User[] }>(`${of}?email=${encodeURIComponent(address)}`)).items;
      if (!found) throw new Refused(0, null, `Nobody in this portal has the address ${address}.`, "Correct it under Managers.");
      return found.user_id;
    });
    return Promise.all(ids);
  };
  const text = (name: "first_name" | "last_name" | "managers", label: string, help?: string) => (
    <label>
      {label}
      <input
        type="text"
        value={draft[name]}
        required={name !== "managers"}
        aria-describedby={help ? `${name}-help` : undefined}
        onInput={(event) => setDraft({ ...draft, [name]: event.currentTarget.value })}
      />
      {help && <small id={`${name}-help`}>{help}</small>}
    </label>
  );
  return (
    <form onSubmit={submit}>
      <Heading title={`Change ${user.first_name} ${user.last_name}`}>
        {user.feed_managed && "What a file says of this person in a matched column, the next file sets again."}
      </Heading>
      {text("first_name", "First name")}
      {text("last_name", "Last name")}
      <label>
        Email
        <input
          type="email"
          required
          value={draft.email}
          aria-describedby={user.feed_managed ? "email-help" : undefined}
          onInput={(event) => setDraft({ ...draft, email: event.currentTarget.value })}
        />
        {user.feed_managed && feed.value && (
          <small id="email-help">
            {knownByAddress
              ? "Files know this person by the address: change it in your HR system as well, before the next file."
              : "Files know this person by the external ID, and the next one sets the address that it has."}
          </small>
        )}
      </label>
      <label>
        <input
          type="checkbox"
          role="switch"
          checked={draft.active}
          onChange={(event) => setDraft({ ...draft, active: event.currentTarget.checked })}
        />
        Active: can sign in to the portal
      </label>
      <fieldset>
        <legend>Roles</legend>
        {ROLES.map((role) => (
          <label>
            <input
              type="checkbox"
              checked={draft.roles.includes(role)}
              onChange={() => setDraft({ ...draft, roles: toggled(draft.roles, role) })}
            />
            {role}
          </label>
        ))}
      </fieldset>
      {portal.groups.length > 0 && (
        <fieldset>
          <legend>Groups</legend>
          {portal.groups.map(({ id, name }) => (
            <label>
              <input
                type="checkbox"
                checked={draft.groups.includes(id)}
                onChange={() => setDraft({ ...draft, groups: toggled(draft.groups, id) })}
              />
              {name}
            </label>
          ))}
        </fieldset>
      )}
      {text("managers", "Managers", "Email addresses of users of this portal, separated by commas.")}
      {!asking && <Trouble of={deed.trouble} />}
      {moves && <Trouble of={feed.trouble} again={() => void feed.again()} />}
      <div class="actions">
        <button type="button" class="secondary outline" onClick={back}>
          Cancel
        </button>
        <button type="submit" aria-busy={deed.busy} disabled={deed.busy || (moves && !feed.value)}>
          Save
        </button>
      </div>
      {asking && (
        <Question
          title="Does your HR system have the new address?"
          yes="Change the address"
          deed={deed}
          onYes={save}
          onNo={() => setAsking(false)}
        >
          <p>
            Files know {user.first_name} {user.last_name} by <strong>{user.email}</strong>. If the next file still has
            that address, it creates a second user with it
            {feed.value?.autoDisable && ", and makes this one inactive, because this address is missing from the file"}.
            Change it in your HR system first, to <strong>{draft.email.trim()}</strong>.
          </p>
        </Question>
      )}
    </form>
  );
}

function toggled<T>(of: T[], item: T): T[] {
  return of.includes(item) ? of.filter((other) => other !== item) : [...of, item];
}

function same<T>(one: T[], other: T[]): boolean {
  return one.every((item) => other.includes(item)) && other.every((item) => one.includes(item));
}

/** What somebody has added to a list and taken from it, done to the list as it is now. */
function carried<T>(before: T[], wanted: T[], now: T[]): T[] {
  const stays = now.filter((item) => wanted.includes(item) || !before.includes(item));
  return [...new Set([...stays, ...wanted.filter((item) => !before.includes(item))])];
}

/** An address as files compare it. */
const spelled = (address: string) => address.trim().toLowerCase().normalize("NFC");
