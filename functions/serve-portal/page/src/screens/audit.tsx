// Who did what to the portal, newest first.

import type { Schemas } from "../api";
import { Frame } from "../frame";
import { useList, useTitle } from "../loading";
import { Heading, More, Nothing, Table, Trouble, Waiting } from "../parts";
import { ofPortal } from "../place";
import { ACTIONS, fieldName, moment } from "../words";

type Entry = Schemas["AuditEntry"];

export function Audit({ portal }: { portal: string }) {
  const entries = useList<Entry>(`/portals/${portal}/audit?limit=50`);
  useTitle("Audit");
  const items = entries.value?.items;
  return (
    <Frame portal={portal}>
      <Heading title="Audit">What people did to this portal, newest first. What files did is in the upload history.</Heading>
      {!items && <Waiting trouble={entries.trouble} again={entries.again} />}
      {items?.length === 0 && <Nothing title="Nobody has done anything yet." />}
      {items && items.length > 0 && (
        <>
          <Table label="Audit" head={["When", "Who", "What"]}>
            {items.map((entry) => (
              <tr>
                <td class="when">{moment(entry.at)}</td>
                <td>
                  {entry.by} {entry.acting_as === "operator" && <span class="quiet">(Go1)</span>}
                </td>
                <td>
                  {ACTIONS[entry.action] ?? String(entry.action).replaceAll("_", " ")} <Details portal={portal} entry={entry} />
                </td>
              </tr>
            ))}
          </Table>
          <Trouble of={entries.trouble} again={entries.again} />
          <More of={entries} />
        </>
      )}
    </Frame>
  );
}

/** What belongs to an action. */
function Details({ portal, entry }: { portal: string; entry: Entry }) {
  if (entry.upload_id) return <a href={ofPortal(portal, `/uploads/${entry.upload_id}`)}>Look at the upload</a>;
  if (entry.fields) {
    const fields = entry.fields.map(fieldName).join(", ");
    return (
      <>
        ({fields}) <a href={ofPortal(portal, `/users/${entry.user_id}`)}>Look at the user</a>
      </>
    );
  }
  if (entry.mapping_version !== undefined) return <>(version {entry.mapping_version})</>;
  if (entry.access_key_id) return <code>{entry.access_key_id}</code>;
  if (entry.file_name !== undefined) {
    return (
      <>
        ({entry.file_name}
        {entry.rehearsal && ", as a rehearsal"})
      </>
    );
  }
  return null;
}
