/* SPDX-License-Identifier: MIT */
/*
 * Story tests: calls at given times against the trace of what they did. A script is lines of
 *
 *   config [grace=MS] [claim=MS] [memory=MS] [ended_max=N] [idle=MS] [tenants=N] [budget=N] [token=N]
 *          [commit=auto|confirm|none] [tell=tenants]
 *   pool NAME slots=N [min=N] [waiting=N] [tenant_waiting=N] [calculator=plus2|huge|zero|fails]
 *        [rest=MS] [max_lease=MS] [draining=0|1] [cordon=N,N...] [policy=equal|max-min] [pass_over=MS] [step=MS]
 *   MS register TENANT [INSTANCE]         MS unregister TENANT [INSTANCE] [force]
 *   MS set [slots=N]...                   the values of a pool that are to be others
 *   MS acquire LEASE TENANT [key=K] [ttl=MS] [max_lease=MS] [label=L] [slots=N] [priority=N] [try] [auto]
 *   MS policy TENANT [weight=THOUSANDTHS] [reserve=N] [cap=N] [waiting=N]         MS preset TENANT [...] [none]
 *   MS attach LEASE                       MS detach LEASE [wait-over|answered]
 *   MS claim|confirm|withdraw|release|revoke LEASE        MS heartbeat LEASE [ttl=MS]
 *   MS revoke-all [pool=P] [tenant=T] [label=L] [pending|active]
 *   MS cancel TENANT key=K                MS key TENANT key=K
 *   MS hold [off] [all]                   MS late MS            MS advance [budget=N]
 *   MS show LEASE | tenant TENANT | pool | totals | slots | fairness | list [TENANT] [pending|active] | tenants | deadline
 *
 * with @POOL for another pool than the first. Leases are named (16 bytes at most). With commit=auto, as if the store
 * answered at once, each grant is confirmed and claimed; with `confirm` it is not claimed. fair_check follows each
 * call.
 */
#ifndef FAIRSHARE_STORY_H
#define FAIRSHARE_STORY_H

/* story plays a script and fails the test, showing both, unless its trace is `want`. */
void story(const char *script, const char *want);

#endif
