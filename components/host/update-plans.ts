import * as pulumi from "@pulumi/pulumi";
import { usesUpdatePlan } from "../sdk/update-plan.ts";

/**
 * For a component that may be the first resource of a program: the engine would stop at it without the reason.
 *
 * @throws pulumi.RunError if the run makes an update plan or follows one.
 */
export function refuseUpdatePlans(): void {
  if (usesUpdatePlan()) throw new pulumi.RunError(NO_UPDATE_PLANS);
}

const NO_UPDATE_PLANS =
  "update plans (--save-plan, --plan) do not work with gatehouse; nothing was changed. A plan permits only the values of the preview, and a preview has placeholders for the values that only the host knows. " +
  "Leave the option out; `npm run plan` shows and saves what an `up` would do. More: docs/delivery.md#update-plans";
