// What screens are made of. Nothing here asks the API.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Refused } from "./api";
import { useStep } from "./focus";
import { type Deed, type Listed, type Loaded } from "./loading";
import { several, state, type Tone } from "./words";

type Children = { children?: ComponentChildren };

/** The heading of a screen, and what it is for. */
export function Heading({ title, children, beside }: Children & { title: string; beside?: ComponentChildren }) {
  useStep(title);
  return (
    <header class="heading">
      <div>
        <h1>{title}</h1>
        {children && <p>{children}</p>}
      </div>
      {beside && <div class="beside">{beside}</div>}
    </header>
  );
}

type NoticeProps = Children & {
  tone: Tone;
  title?: string;
  /** What is around it is told as it changes: it would be told twice. */
  inLive?: boolean;
};

/** Something to be noticed, in a colour that says how much. */
export function Notice({ tone, title, inLive = false, children }: NoticeProps) {
  const role = tone === "bad" ? "alert" : "status";
  return (
    <div class={`notice ${tone}`} role={inLive ? undefined : role}>
      {title && <strong>{title}</strong>}
      {children && <div>{children}</div>}
    </div>
  );
}

/** Why something was refused, with all that was found wrong. */
export function Trouble({ of, again }: { of: Refused | null; again?: () => void }) {
  if (!of) return null;
  return (
    <Notice tone="bad" title={of.title}>
      <p>{of.detail}</p>
      {of.problems.length > 0 && (
        <ul>
          {of.problems.map((problem) => (
            <li>{problem.message}</li>
          ))}
        </ul>
      )}
      {again && (
        <button type="button" class="secondary outline" onClick={again}>
          Try again
        </button>
      )}
    </Notice>
  );
}

/** A screen of what was asked for; until there is an answer, what stands in its place. */
export function Shown<T>({ of, children }: { of: Loaded<T>; children: (value: T) => ComponentChildren }) {
  if (of.value === null) return <Waiting trouble={of.trouble} again={of.again} />;
  return (
    <>
      <Trouble of={of.trouble} again={of.again} />
      {children(of.value)}
    </>
  );
}

/** What stands where an answer will be. */
export function Waiting({ trouble, again }: { trouble: Refused | null; again: () => void }) {
  if (trouble) return <Trouble of={trouble} again={again} />;
  return (
    <p class="waiting" aria-busy="true" role="status">
      Loading…
    </p>
  );
}

export function Badge({ tone, children }: Children & { tone: Tone | "plain" }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

export function UploadState({ of }: { of: Parameters<typeof state>[0] }) {
  const [words, tone] = state(of);
  return <Badge tone={tone}>{words}</Badge>;
}

type TableProps = Children & {
  label: string;
  head: ComponentChildren[];
  /** How many of the last columns are numbers. */
  numbers?: number;
};

/** A table that is scrolled sideways by itself where it is too wide. */
export function Table({ label, head, numbers = 0, children }: TableProps) {
  return (
    <div class="table" role="region" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((cell, at) => (
              <th scope="col" class={at < head.length - numbers ? undefined : "number"}>
                {cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** The way to the next page of a list. */
export function More({ of }: { of: Pick<Listed<unknown>, "more" | "loadingMore"> }) {
  if (!of.more) return null;
  return (
    <button
      type="button"
      class="secondary outline more"
      aria-busy={of.loadingMore}
      disabled={of.loadingMore}
      onClick={() => void of.more?.()}
    >
      Show more
    </button>
  );
}

interface LookingProps {
  of: boolean;
  found: number;
  among: string;
  stop: () => void;
  more: Pick<Listed<unknown>, "more" | "loadingMore">;
}

/** While a list is read on for what somebody looks for, a way to stop that; else the way to its next page. */
export function Looking({ of, found, among, stop, more }: LookingProps) {
  if (!of) return <More of={more} />;
  return (
    <div class="actions" role="status">
      <p aria-busy="true">
        Looking through all {among}; {several(found, "is found", "are found")} so far…
      </p>
      <button type="button" class="secondary outline" onClick={stop}>
        Stop
      </button>
    </div>
  );
}

interface CopiedProps {
  label: string;
  value: string;
  block?: boolean;
  /** It was copied, by the button or by hand. */
  copied?: () => void;
}

/** A value to be copied elsewhere. */
export function Copied({ label, value, block = false, copied: done }: CopiedProps) {
  const [copied, setCopied] = useState(false);
  const [byHand, setByHand] = useState(false);
  const shown = useRef<HTMLElement>(null);
  const wasCopied = () => {
    done?.();
    setByHand(false);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
    } catch {
      // Not every browser lets a page do that.
      if (shown.current) getSelection()?.selectAllChildren(shown.current);
      setByHand(true);
      return;
    }
    wasCopied();
  };
  return (
    <div class={block ? "copied block" : "copied"} onCopy={() => getSelection()?.toString().trim() === value && wasCopied()}>
      {block ? (
        <pre tabIndex={0} aria-label={label}>
          <code ref={shown}>{value}</code>
        </pre>
      ) : (
        <code ref={shown}>{value}</code>
      )}
      <button
        type="button"
        class="secondary outline small"
        aria-label={`${copied ? "Copied" : "Copy"} ${label}`}
        onClick={() => void copy()}
      >
        {copied ? "Copied" : "Copy"}
      </button>
      <span class={byHand ? "quiet" : "sr-only"} aria-live="polite">
        {byHand ? "It is selected: press Ctrl+C (on a Mac ⌘C) to copy it." : copied && "Copied"}
      </span>
    </div>
  );
}

/** A question before something that cannot be taken back, or that stops something. */
export function Question({
  title,
  yes,
  deed,
  harm = false,
  ready = true,
  onYes,
  onNo,
  children,
}: Children & { title: string; yes: string; deed: Deed; harm?: boolean; ready?: boolean; onYes: () => void; onNo: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titled = useId();
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () =>
      requestAnimationFrame(() => {
        // A question that was answered is gone at once, and the browser gives the focus to nobody.
        if (document.activeElement !== document.body) return;
        const there = opener instanceof HTMLElement && opener.isConnected ? opener : document.getElementById("content");
        there?.focus({ preventScroll: true });
      });
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={titled}
      // What is being carried out cannot be cancelled any more.
      onCancel={(event) => deed.busy && event.preventDefault()}
      onClose={() => {
        if (deed.busy) return dialog.current?.showModal();
        deed.forget();
        onNo();
      }}
    >
      <article>
        <h2 id={titled}>{title}</h2>
        {children}
        <Trouble of={deed.trouble} />
        <footer>
          <button
            type="button"
            class="secondary outline"
            disabled={deed.busy}
            onClick={() => dialog.current?.close()}
          >
            Cancel
          </button>
          <button type="button" class={harm ? "harm" : ""} aria-busy={deed.busy} disabled={deed.busy || !ready} onClick={onYes}>
            {yes}
          </button>
        </footer>
      </article>
    </dialog>
  );
}

/** A figure with its name. */
export function Figure({ name, value, tone }: { name: string; value: string; tone?: Tone | undefined }) {
  return (
    <div class={tone ? `figure ${tone}` : "figure"}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** What stands where there is nothing yet, and what to do about it. */
export function Nothing({ title, children }: Children & { title: string }) {
  return (
    <div class="nothing">
      <p>
        <strong>{title}</strong>
      </p>
      {children}
    </div>
  );
}

/** Hands bytes over to the browser's downloads. */
export function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
