// The first line of a plan, the same in each format.
import type { Report } from "./report.ts";

/** A host that was not inspected may have drifted, so this is said before anything else. */
const NOT_INSPECTED: Record<NonNullable<Report["notInspected"]>, string> = {
  unreachable: "the host cannot be reached, so its drift is unknown",
  off: "the host was not inspected, so its drift is unknown",
  busy: "an operation is in progress on the host, so its drift is unknown",
};

export function summaryOf(report: Pick<Report, "changes" | "notInspected" | "totals" | "data">): string {
  const { changes, notInspected } = report;
  const what = changes ? countsOf(report) : notInspected ? "no change in the configuration" : "nothing to do";
  return notInspected ? `${NOT_INSPECTED[notInspected]}; ${what}` : what;
}

/** Files, reloads and restarts are always counted, even if zero; the rest only if there are any. */
function countsOf({ totals, data }: Pick<Report, "totals" | "data">): string {
  const { files, reloads, restarts, starts, stops, destroyed, databases, repairs } = totals;
  const some = (number: number, one: string) => (number > 0 ? [counted(number, one)] : []);
  return [
    counted(files, "file"),
    ...some(starts, "start"),
    counted(reloads, "reload"),
    counted(restarts, "restart"),
    ...some(stops, "stop"),
    ...(destroyed > 0 ? [`${counted(destroyed, "release")} destroyed`] : []),
    ...some(databases, "new database"),
    ...some(repairs, "repair"),
    data.length > 0 ? "data touched" : "no data touched",
  ].join(", ");
}

const counted = (number: number, one: string): string => `${number} ${one}${number === 1 ? "" : "s"}`;
