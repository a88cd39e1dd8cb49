// The portal's users: found by name or address.

import { useState } from "preact/hooks";
import type { User } from "../api";
import { Frame } from "../frame";
import { useAround, useList, useLooking, useTitle } from "../loading";
import { Badge, Heading, Looking, Nothing, Table, Trouble, Waiting } from "../parts";
import { ofPortal } from "../place";

/** How many are shown at first, and how many more each time. */
const PAGE = 50;

export function Users({ portal }: { portal: string }) {
  const { session } = useAround();
  const [wanted, setWanted] = useState("");
  const [typed, setTyped] = useState("");
  // An address is looked up at once, wherever it is in the list.
  const by = wanted.includes("@") ? "email" : "name";
  const query = wanted ? `&${by}=${encodeURIComponent(wanted)}` : "";
  const users = useList<User>(`/portals/${portal}/users?limit=${PAGE}${query}`);
  // The API looks through a part of the portal at a time, which may have few of that name, or nobody.
  const items = users.value?.items;
  const name = by === "name" && wanted !== "" ? query : null;
  const { looking, stop, more } = useLooking(users, name, items?.length ?? 0, PAGE);
  useTitle("Users");
  return (
    <Frame portal={portal}>
      <Heading
        title="Users"
        beside={
          session.config.xero && (
            <a role="button" class="secondary outline" href={ofPortal(portal, "/xero")}>
              Import from Xero
            </a>
          )
        }
      >
        Everybody in your portal, whoever created them.
      </Heading>
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          setWanted(typed.trim());
        }}
      >
        <input
          type="search"
          aria-label="Name or email address"
          placeholder="Part of a name, or a whole email address"
          value={typed}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            if (event.currentTarget.value === "") setWanted("");
          }}
        />
        <button type="submit">Search</button>
      </form>
      {!items && <Waiting trouble={users.trouble} again={users.again} />}
      {items?.length === 0 && !users.more && (
        <Nothing title={wanted ? `Nobody is found by “${wanted}”.` : "There is nobody yet."}>
          <p>
            {wanted
              ? "An email address has to be complete; of a name a part is enough."
              : `Users appear here with the first file that is applied${session.config.xero ? ", or with an import from Xero" : ""}.`}
          </p>
        </Nothing>
      )}
      {items && (items.length > 0 || users.more) && (
        <>
          {items.length > 0 ? (
            <Table label="Users" head={["Name", "Email", "Status", "Roles", "Source", "Last upload"]}>
              {items.map((user) => (
                <tr>
                  <th scope="row">
                    <a href={ofPortal(portal, `/users/${user.user_id}`)}>
                      {user.first_name} {user.last_name}
                    </a>
                  </th>
                  <td>{user.email}</td>
                  <td>
                    <Badge tone={user.status === "active" ? "good" : "plain"}>
                      {user.status === "active" ? "Active" : "Inactive"}
                    </Badge>
                  </td>
                  <td>{user.roles.join(", ")}</td>
                  <td>{source(user)}</td>
                  <td>
                    {user.last_upload_id ? (
                      <a href={ofPortal(portal, `/uploads/${user.last_upload_id}`)}>
                        Look
                        <span class="sr-only">
                          {" "}
                          at the last upload about {user.first_name} {user.last_name}
                        </span>
                      </a>
                    ) : (
                      <span class="quiet">none</span>
                    )}
                  </td>
                </tr>
              ))}
            </Table>
          ) : (
            !looking && <p class="quiet">Nobody among the first users. There are more to look through.</p>
          )}
          <Trouble of={users.trouble} again={users.again} />
          <Looking of={looking} found={items.length} among="users" stop={stop} more={more} />
        </>
      )}
    </Frame>
  );
}

export function source(user: User): string {
  if (user.source === "xero") return "Xero";
  if (user.source === "feed") return "Data feed";
  return "Portal";
}
