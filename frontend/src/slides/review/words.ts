import { create } from "zustand";

import { readPreference, writePreference } from "../../preferences";
import { checkHealthNow } from "../../session/health";
import { keyRequestOf, sentenceOf } from "../../session/problems";
import { getState as getSession, setState as setSession, useSession } from "../../session/store";
import { sendSlideReview } from "../api/slides";
import type { Agreement, Diagnosis } from "../api/types";
import { slideTexts } from "../texts";

/** A reader's word on a slide or on one of its regions, until the service's log holds it. */
export interface Word {
  agreement: Agreement | null;
  diagnosis: Diagnosis | null;
  note: string;
  /** `lost` is sent again by itself once the service answers; what was refused is not. */
  sending: { is: "draft" } | { is: "sending" } | { is: "lost" } | { is: "refused"; why: string };
}

export interface Subject {
  slide: string;
  /** By rank; null for the whole slide. */
  region: number | null;
}

interface Words {
  words: Readonly<Record<string, Word>>;
  /** Subjects whose word was saved since the page was opened. */
  saved: ReadonlySet<string>;
}

export const EMPTY_WORD: Word = {
  agreement: null,
  diagnosis: null,
  note: "",
  sending: { is: "draft" },
};
/** So that a service that answers, but not to this, is not asked without end. */
const RESEND_AFTER_MS = 1_000;
const STORED = "healer.slide-words";

export const useWords = create<Words>()(() => ({ words: {}, saved: new Set<string>() }));
const { getState, setState } = useWords;

export const keyOf = ({ slide, region }: Subject): string => `${slide} ${region ?? ""}`;
const subjectOf = (key: string): Subject => {
  const [slide = "", region = ""] = key.split(" ");
  return { slide, region: region === "" ? null : Number(region) };
};

export function changeWord(subject: Subject, change: Partial<Omit<Word, "sending">>): void {
  const key = keyOf(subject);
  const word = getState().words[key] ?? EMPTY_WORD;
  put(key, { ...word, ...change, sending: { is: "draft" } });
}

/** Choosing the same again takes it back. */
export function toggleAgreement(subject: Subject, agreement: Agreement): void {
  const chosen = getState().words[keyOf(subject)]?.agreement;
  changeWord(subject, { agreement: chosen === agreement ? null : agreement });
}

/** Whether the log holds it now. */
export async function saveWord(subject: Subject): Promise<boolean> {
  const key = keyOf(subject);
  const word = getState().words[key];
  if (!word?.agreement || word.sending.is === "sending") return false;
  put(key, { ...word, sending: { is: "sending" } });
  const { agreement, diagnosis, note } = word;
  const result = await sendSlideReview({ ...subject, agreement, diagnosis, note: note.trim() });
  const sent = getState().words[key];
  if (sent?.sending.is !== "sending") return result.is === "answered"; // changed meanwhile
  if (result.is === "answered") {
    discard(key);
    return true;
  }
  put(key, { ...sent, sending: result.is === "lost" ? lost() : refused(result.problem) });
  return false;
}

/** As soon as the service is known to answer again, the word is sent again. */
function lost(): Word["sending"] {
  setSession({ connection: "lost" });
  checkHealthNow();
  return { is: "lost" };
}

function refused(problem: Parameters<typeof sentenceOf>[0]): Word["sending"] {
  const keyRequest = keyRequestOf(problem);
  if (keyRequest === null) return { is: "refused", why: sentenceOf(problem) };
  setSession({ keyRequest });
  return { is: "lost" };
}

function put(key: string, word: Word): void {
  setState(({ words, saved }) => ({
    words: { ...words, [key]: word },
    saved: new Set([...saved].filter((each) => each !== key)),
  }));
}

function discard(key: string): void {
  setState(({ words, saved }) => ({
    words: Object.fromEntries(Object.entries(words).filter(([each]) => each !== key)),
    saved: new Set([...saved, key]),
  }));
}

export function isUnsaved({ agreement, diagnosis, note }: Word): boolean {
  return agreement !== null || diagnosis !== null || note.trim() !== "";
}

/** Words that were written while nobody answered, or before a key was entered. */
function resend(): void {
  for (const [key, { sending }] of Object.entries(getState().words))
    if (sending.is === "lost") void saveWord(subjectOf(key)).then(announceSaved);
}

const listeners = new Set<() => void>();
/** Called after words were sent again by themselves. */
export function onWordsSaved(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
const announceSaved = (saved: boolean): void => {
  if (saved) for (const listener of listeners) listener();
};

/** Words stay in this browser only where a person chose to keep what they do. */
function store(): void {
  const unsaved = Object.entries(getState().words).filter(([, word]) => isUnsaved(word));
  const text = getSession().persist && unsaved.length > 0 ? JSON.stringify(unsaved) : null;
  writePreference(STORED, text);
}

function restore(): void {
  try {
    const stored = JSON.parse(readPreference(STORED) ?? "[]") as [string, Word][];
    const words = stored.map(([key, word]) => {
      const wasSent = word.sending.is === "sending";
      return [key, wasSent ? { ...word, sending: { is: "lost" } } : word] as [string, Word];
    });
    setState((before) => ({ words: { ...Object.fromEntries(words), ...before.words } }));
  } catch {
    // What is stored is not ours: nothing is restored of it.
  }
}

function confirmClosing(event: BeforeUnloadEvent): void {
  if (!getSession().persist && Object.values(getState().words).some(isUnsaved))
    event.preventDefault();
}

/** Keep words safe: stored where chosen, asked about before the tab closes, sent once that is possible. */
export function guardWords(): void {
  restore();
  let listening = false;
  useWords.subscribe(({ words }) => {
    store();
    const some = Object.values(words).some(isUnsaved);
    if (some === listening) return;
    listening = some; // a listener keeps the page from the browser's cache
    if (some) window.addEventListener("beforeunload", confirmClosing);
    else window.removeEventListener("beforeunload", confirmClosing);
  });
  useSession.subscribe((session, before) => {
    if (session.persist !== before.persist) store();
    const reached = session.connection === "reached" && before.connection !== "reached";
    const keyEntered = session.keyRequest === null && before.keyRequest !== null;
    if (keyEntered) resend();
    if (reached) setTimeout(resend, RESEND_AFTER_MS);
  });
}

export function statusOf(word: Word | undefined, saved: boolean): string {
  const { review } = slideTexts;
  if (!word || !isUnsaved(word)) return saved ? review.saved : "";
  switch (word.sending.is) {
    case "draft":
      return word.agreement ? review.unsaved : review.needsAgreement;
    case "sending":
      return review.saving;
    case "lost":
      return review.lost;
    case "refused":
      return word.sending.why;
  }
}
