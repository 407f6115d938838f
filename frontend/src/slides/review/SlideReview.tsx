import { type FormEvent, type ReactElement, useEffect } from "react";

import { Icon } from "../../view/icons";
import { DIAGNOSES, type Diagnosis, type SlideReview as EarlierWord } from "../api/types";
import { slideTexts } from "../texts";
import {
  changeWord,
  EMPTY_WORD,
  guardWords,
  keyOf,
  onWordsSaved,
  saveWord,
  statusOf,
  type Subject,
  toggleAgreement,
  useWords,
  type Word,
} from "./words";

const { review: words } = slideTexts;

guardWords();

export interface SlideReviewProps extends Subject {
  /** All words on the slide so far: those on this subject are shown. */
  reviews: readonly EarlierWord[];
  /** The log holds another word: fetch them again. */
  onSaved?: () => void;
}

/** What a reader says of a slide or of one of its regions, and what was said before. */
export function SlideReview({ slide, region, reviews, onSaved }: SlideReviewProps): ReactElement {
  const subject = { slide, region };
  const key = keyOf(subject);
  const word = useWords((session) => session.words[key]);
  const saved = useWords((session) => session.saved.has(key));
  useEffect(() => (onSaved ? onWordsSaved(onSaved) : undefined), [onSaved]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void saveWord(subject).then((kept) => {
      if (kept) onSaved?.();
    });
  };
  return (
    <section data-review={key}>
      <h3 className="heading mb-2">{region === null ? words.title : words.ofRegion(region)}</h3>
      <form onSubmit={submit} className="grid gap-2">
        <Agreements subject={subject} word={word ?? EMPTY_WORD} />
        <DiagnosisAndNote subject={subject} word={word ?? EMPTY_WORD} />
        <div className="flex flex-wrap items-center gap-3">
          <button
            className="button button-main"
            data-save-word={key}
            disabled={!word?.agreement || word.sending.is === "sending"}
          >
            {word?.sending.is === "refused" ? words.again : words.save}
          </button>
          <p role="status" className="min-w-0 flex-1 basis-40 text-sm text-quiet">
            {statusOf(word, saved)}
          </p>
        </div>
      </form>
      <Earlier reviews={reviews.filter((each) => each.region === region)} />
    </section>
  );
}

function Agreements({ subject, word }: { subject: Subject; word: Word }): ReactElement {
  return (
    <div className="flex flex-wrap gap-2">
      {(["agree", "disagree"] as const).map((agreement) => (
        <button
          key={agreement}
          type="button"
          className="button flex-1"
          aria-pressed={word.agreement === agreement}
          onClick={() => {
            toggleAgreement(subject, agreement);
          }}
        >
          <Icon name={agreement} className="size-4" />
          {words[agreement]}
        </button>
      ))}
    </div>
  );
}

function DiagnosisAndNote({ subject, word }: { subject: Subject; word: Word }): ReactElement {
  return (
    <>
      <label className="grid gap-1 text-sm">
        {words.diagnosis}
        <select
          className="field w-full"
          value={word.diagnosis ?? ""}
          onChange={(event) => {
            const diagnosis = event.target.value;
            changeWord(subject, { diagnosis: diagnosis === "" ? null : (diagnosis as Diagnosis) });
          }}
        >
          <option value="">{words.noDiagnosis}</option>
          {DIAGNOSES.map((diagnosis) => (
            <option key={diagnosis} value={diagnosis}>
              {words.diagnoses[diagnosis]}
            </option>
          ))}
        </select>
      </label>
      <label className="block text-sm">
        <span className="sr-only">{words.note}</span>
        <textarea
          data-word-note={keyOf(subject)}
          rows={2}
          className="field w-full"
          placeholder={words.placeholder}
          value={word.note}
          onChange={(event) => {
            changeWord(subject, { note: event.target.value });
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
              event.currentTarget.form?.requestSubmit();
          }}
        />
      </label>
    </>
  );
}

const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function Earlier({ reviews }: { reviews: readonly EarlierWord[] }): ReactElement | null {
  if (reviews.length === 0) return null;
  return (
    <>
      <h4 className="heading mt-4">{words.earlier}</h4>
      <ul className="mt-1 grid gap-2 text-sm">
        {reviews.map((each) => (
          <li key={`${each.at} ${each.agreement}`} className="wrap-anywhere">
            <span className="font-medium">
              {each.by ?? words.reader} {words.words[each.agreement]}
              {each.diagnosis && `: ${words.diagnoses[each.diagnosis]}`}
            </span>
            {each.note && <span className="block">{each.note}</span>}
            <time dateTime={each.at} className="block text-xs text-quiet">
              {when.format(new Date(each.at))}
            </time>
          </li>
        ))}
      </ul>
    </>
  );
}

/** For shortcuts: the note of a subject takes the focus, or its word is saved. */
export function focusNote(subject: Subject): void {
  document.querySelector<HTMLElement>(`[data-word-note="${CSS.escape(keyOf(subject))}"]`)?.focus();
}

export function submitWord(subject: Subject): void {
  document.querySelector<HTMLElement>(`[data-save-word="${CSS.escape(keyOf(subject))}"]`)?.click();
}
