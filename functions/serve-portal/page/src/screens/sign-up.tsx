// Where Xero's Marketplace sends a company that has no portal yet. Nobody is signed in.

import { useState } from "preact/hooks";
import { type Refused, signUp } from "../api";
import { asRefused, useTitle } from "../loading";
import { Trouble } from "../parts";
import { HOME } from "../place";

export function SignUp() {
  useTitle("Create an account");
  const [name, setName] = useState("");
  const [country, setCountry] = useState<"AU" | "US">("AU");
  const [leaving, setLeaving] = useState(false);
  const [trouble, setTrouble] = useState<Refused | null>(null);
  const leave = async (event: Event) => {
    event.preventDefault();
    setLeaving(true);
    setTrouble(null);
    try {
      location.assign(await signUp({ name, country }));
    } catch (error) {
      setTrouble(asRefused(error));
      setLeaving(false);
    }
  };
  return (
    <main class="alone">
      <p class="brand">
        Go1 <span>integrations</span>
      </p>
      <h1>Create an account</h1>
      <p>
        For companies on Xero: a Go1 portal of your own, with free courses. Next you sign in to Xero, which tells us
        your name and email address; then you can import your employees.
      </p>
      <form onSubmit={(event) => void leave(event)}>
        <label>
          Company
          <input
            required
            maxLength={200}
            autocomplete="organization"
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <label>
          Country
          <select value={country} onChange={(event) => setCountry(event.currentTarget.value as "AU" | "US")}>
            <option value="AU">Australia</option>
            <option value="US">United States</option>
          </select>
        </label>
        <Trouble of={trouble} />
        <button type="submit" aria-busy={leaving} disabled={leaving}>
          Continue with Xero
        </button>
      </form>
      <p>
        <a href={HOME}>I have an account</a>
      </p>
    </main>
  );
}
