// One user, and changes to them. What is changed here the feed respects, until a file says otherwise.

import { useState } from "preact/hooks";
import { type Portal, Refused, type Schemas, type User } from "../api";
import { Frame } from "../frame";
import { type Loaded, useAround, useDeed, useLoaded, useTitle } from "../loading";
import { Badge, Heading, Notice, Trouble, Waiting } from "../parts";
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
      {known.value ? (
        <>
          <Trouble of={known.trouble} again={known.again} />
          <Shown portal={portal} path={path} known={known.value} loaded={known} />
        </>
      ) : (
        <Waiting trouble={known.trouble} again={known.again} />
      )}
    </Frame>
  );
}

interface ShownProps {
  portal: string;
  path: string;
  known: Known;
  loaded: Loaded<Known>;
}

function Shown({ portal, path, known, loaded }: ShownProps) {
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
        <dt>Came by</dt>
        <dd>
          {source(user)}
          {user.created_at && `, ${moment(user.created_at)}`}
        </dd>
        <dt>Kept in step by the data feed</dt>
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
  const submit = (event: Event) => {
    event.preventDefault();
    void deed.run(async () => {
      const change: Schemas["ChangeBody"] = {};
      if (draft.first_name !== user.first_name) change.first_name = draft.first_name;
      if (draft.last_name !== user.last_name) change.last_name = draft.last_name;
      if (draft.email !== user.email) change.email = draft.email;
      const status = draft.active ? "active" : "inactive";
      if (status !== user.status) change.status = status;
      if (!same(draft.roles, user.roles)) change.roles = draft.roles;
      if (!same(draft.groups, user.group_ids)) change.group_ids = draft.groups;
      // Untouched, they stay as they are, whoever of them is there still.
      const ids = draft.managers === addresses ? user.manager_ids : await managerIds(draft.managers);
      if (!same(ids, user.manager_ids)) change.manager_ids = ids;
      await api.patch(path, change);
      await done();
    });
  };
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
          onInput={(event) => setDraft({ ...draft, email: event.currentTarget.value })}
        />
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
      <Trouble of={deed.trouble} />
      <div class="actions">
        <button type="button" class="secondary outline" onClick={back}>
          Cancel
        </button>
        <button type="submit" aria-busy={deed.busy} disabled={deed.busy}>
          Save
        </button>
      </div>
    </form>
  );
}

function toggled<T>(of: T[], item: T): T[] {
  return of.includes(item) ? of.filter((other) => other !== item) : [...of, item];
}

function same<T>(one: T[], other: T[]): boolean {
  return one.length === other.length && one.every((item) => other.includes(item));
}
