// Xero > Settings: how the integration is used, and how to end the connection.

import { useState } from "preact/hooks";
import { Frame } from "../frame";
import { useAround, useDeed, useLoaded, useTitle } from "../loading";
import { Heading, Question, Trouble } from "../parts";
import { moment, number } from "../words";
import { type About, NoXero } from "./xero-overview";

const STATES: Record<About["state"], string> = {
  not_connected: "Not connected",
  organisation_not_chosen: "Connected; no organisation chosen yet",
  connected: "Connected",
  importing: "Importing",
  reconnect_needed: "To be connected again",
};

export function XeroSettings({ portal }: { portal: string }) {
  const { api } = useAround();
  const path = `/portals/${portal}/xero`;
  const about = useLoaded((api) => api.get<About>(path), path);
  const deed = useDeed();
  const [asking, setAsking] = useState(false);
  const disconnect = () =>
    deed.run(async () => {
      await api.remove(`${path}/connection`);
      await about.again();
      setAsking(false);
    });
  useTitle("Xero settings");
  const value = about.value;
  return (
    <Frame portal={portal}>
      <Heading title="Xero settings">The connection between your portal and Xero.</Heading>
      {!value && <NoXero trouble={about.trouble} again={about.again} />}
      {value && (
        <>
          <Trouble of={about.trouble} again={about.again} />
          <dl class="values">
            <dt>Connection</dt>
            <dd>{value.giving_back && value.state === "not_connected" ? "Being ended" : STATES[value.state]}</dd>
            {value.organisation && (
              <>
                <dt>Organisation</dt>
                <dd>
                  {value.organisation.name ?? value.organisation.tenant_id} ({value.organisation.country})
                </dd>
              </>
            )}
            {value.connected_at && (
              <>
                <dt>Connected since</dt>
                <dd>{moment(value.connected_at)}</dd>
              </>
            )}
            {value.connected_until && (
              <>
                <dt>Ends at the latest</dt>
                <dd>{moment(value.connected_until)}</dd>
              </>
            )}
            <dt>Imported so far</dt>
            <dd>
              {number(value.imported)} of {number(value.places)}
            </dd>
            <dt>What is read</dt>
            <dd>Of each person: first name, last name, email address, Xero's own number for them, and whether they are employed,
              which is not kept. Of your organisation: name, country and Xero's number. Only when you look or import.</dd>
          </dl>
          {value.state === "not_connected" ? (
            <p>There is no connection between Xero and Go1 now, so there is nothing to disconnect.</p>
          ) : (
            <button
              type="button"
              class="secondary outline"
              disabled={value.state === "importing"}
              onClick={() => setAsking(true)}
            >
              Disconnect
            </button>
          )}
          <p class="quiet">
            To cancel your portal, or to remove people who were imported, contact Go1 support. Disconnecting removes
            nobody.
          </p>
        </>
      )}
      {asking && (
        <Question
          title="Disconnect from Xero?"
          yes="Disconnect"
          harm
          deed={deed}
          onYes={() => void disconnect()}
          onNo={() => setAsking(false)}
        >
          <p>The connection ends. Whoever was imported stays in Go1. You can connect again.</p>
        </Question>
      )}
    </Frame>
  );
}
