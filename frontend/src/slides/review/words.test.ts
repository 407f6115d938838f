import { afterAll, beforeEach, expect, it, vi } from "vitest";

import { problem } from "../../session/fixtures";
import { setState as setSession, useSession } from "../../session/store";
import type { Result } from "../api/request";
import {
  changeWord,
  guardWords,
  keyOf,
  saveWord,
  statusOf,
  toggleAgreement,
  useWords,
} from "./words";

const { replies, sent } = vi.hoisted(() => ({
  replies: [] as Result<unknown>[],
  sent: [] as unknown[],
}));

vi.mock("../api/slides", () => ({
  sendSlideReview: (review: unknown) => {
    sent.push(review);
    return Promise.resolve(replies.shift() ?? { is: "answered", value: {} });
  },
}));

vi.mock("../../session/health", () => ({ checkHealthNow: vi.fn() }));
vi.useFakeTimers();
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const SLIDE = { slide: "ab12", region: null };
const REGION = { slide: "ab12", region: 3 };
const stored = new Map<string, string>();
const listeners = new Set<(event: { preventDefault: () => void }) => void>();
vi.stubGlobal("localStorage", {
  getItem: (name: string) => stored.get(name) ?? null,
  setItem: (name: string, value: string) => stored.set(name, value),
  removeItem: (name: string) => stored.delete(name),
});
vi.stubGlobal("window", {
  addEventListener: (_: string, listener: () => void) => listeners.add(listener),
  removeEventListener: (_: string, listener: () => void) => listeners.delete(listener),
});
guardWords();

const word = (subject = SLIDE as typeof SLIDE | typeof REGION) =>
  useWords.getState().words[keyOf(subject)];
const blocksClosing = (): boolean => {
  const preventDefault = vi.fn();
  for (const listener of listeners) listener({ preventDefault });
  return preventDefault.mock.calls.length > 0;
};

beforeEach(() => {
  replies.length = 0;
  sent.length = 0;
  useWords.setState(useWords.getInitialState());
  setSession({ ...useSession.getInitialState(), connection: "reached" });
});

it("a word is sent as it was written, and is no longer at risk once the log holds it", async () => {
  toggleAgreement(REGION, "disagree");
  changeWord(REGION, { diagnosis: "low_grade", note: " crypts " });
  expect(blocksClosing()).toBe(true);
  expect(await saveWord(REGION)).toBe(true);
  expect(sent).toEqual([
    { slide: "ab12", region: 3, agreement: "disagree", diagnosis: "low_grade", note: "crypts" },
  ]);
  expect(word(REGION)).toBeUndefined();
  expect(useWords.getState().saved).toContain(keyOf(REGION));
  expect(blocksClosing()).toBe(false);
});

it("without agree or disagree nothing is sent", async () => {
  changeWord(SLIDE, { note: "glands" });
  expect(await saveWord(SLIDE)).toBe(false);
  expect(sent).toEqual([]);
  expect(statusOf(word(), false)).toContain("Agree or Disagree");
});

it("choosing the same again takes it back", () => {
  toggleAgreement(SLIDE, "agree");
  toggleAgreement(SLIDE, "agree");
  expect(word()?.agreement).toBeNull();
});

it("a word that nobody received is sent again by itself once the service answers", async () => {
  replies.push({ is: "lost" });
  toggleAgreement(SLIDE, "agree");
  expect(await saveWord(SLIDE)).toBe(false);
  expect(word()?.sending).toEqual({ is: "lost" });
  expect(blocksClosing()).toBe(true);
  expect(useSession.getState().connection).toBe("lost");
  setSession({ connection: "reached" });
  await vi.runAllTimersAsync();
  expect(word()).toBeUndefined();
  expect(sent).toHaveLength(2);
});

it("a word that was refused stays, with why, and is not sent again by itself", async () => {
  replies.push({ is: "refused", problem: problem(409, "audit_off") });
  toggleAgreement(SLIDE, "agree");
  await saveWord(SLIDE);
  expect(statusOf(word(), false)).toBe("Detail of audit_off.");
  setSession({ connection: "lost" });
  setSession({ connection: "reached" });
  await vi.runAllTimersAsync();
  expect(sent).toHaveLength(1);
});

it("without a key it is asked for, and the word goes on with it", async () => {
  replies.push({ is: "refused", problem: problem(401, "credentials_missing") });
  toggleAgreement(SLIDE, "agree");
  await saveWord(SLIDE);
  expect(useSession.getState().keyRequest).not.toBeNull();
  setSession({ keyRequest: null });
  await vi.runAllTimersAsync();
  expect(sent).toHaveLength(2);
});

it("what is written on while it is sent is not lost", async () => {
  toggleAgreement(SLIDE, "agree");
  const saving = saveWord(SLIDE);
  changeWord(SLIDE, { note: "and more" });
  expect(await saving).toBe(true);
  expect(word()).toMatchObject({ note: "and more", sending: { is: "draft" } });
});

it("words stay in this browser only where that was chosen", () => {
  toggleAgreement(SLIDE, "agree");
  expect(stored.size).toBe(0);
  setSession({ persist: true });
  expect([...stored.values()].join()).toContain("ab12");
  expect(blocksClosing()).toBe(false);
  setSession({ persist: false });
  expect(stored.size).toBe(0);
});
