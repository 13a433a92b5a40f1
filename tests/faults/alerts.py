"""Which fault fires which alert. `test_alerts` makes each of them in a running stack that a real Prometheus reads."""

from typing import Final

#: By the test that makes a fault, the alerts that it waits for.
FIRED: Final[dict[str, frozenset[str]]] = {
    "test_agents_that_cannot_go_on": frozenset({"BatonBudgetReached", "BatonProviderAway", "BatonModelUnusable"}),
    "test_more_workflows_than_are_cached": frozenset({"BatonStickyCacheMisses"}),
    "test_more_work_and_more_readers_than_fit": frozenset({"BatonStepsFull", "BatonStreamsFull"}),
    "test_workflow_code_that_fails": frozenset({"BatonWorkflowTasksFail"}),
    "test_workflow_code_that_does_not_fit_histories": frozenset({"BatonNonDeterminism", "BatonStuckWorkflows"}),
    "test_a_worker_that_stops_and_does_not_end": frozenset({"BatonNoPollers"}),
    "test_temporal_that_dies_again_and_again": frozenset(
        {"BatonTemporalAway", "BatonTemporalRequestsFail", "BatonPollsFail"}
    ),
    "test_postgresql_that_is_killed": frozenset({"BatonDatabaseUnavailable", "BatonApiErrors"}),
    "test_a_worker_that_stands_still": frozenset({"BatonProcessDown", "BatonOldestUnprocessed", "BatonNoWorker"}),
    "test_a_queue_that_nobody_serves": frozenset({"BatonUnknownQueue"}),
    "test_tables_that_are_locked": frozenset(
        {
            "BatonRelayLag",
            "BatonWorkflowTasksWait",
            "BatonBacklogUnknown",
            "BatonNoSlots",
            "BatonDatabaseSlow",
            "BatonAcceptSlow",
            "BatonActivitiesWait",
        }
    ),
}
