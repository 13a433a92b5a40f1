"""What to do about a step that failed, by the code that says why."""

from typing import Final

_LATER: Final = "The provider is away or has too much to do. Tasks wait for it; try again later, or add a --fallback."
_SERVER: Final = "Is the address right, and is that a server of this API? Check base_url, or the provider's variable."
_REPLY: Final = "Try again. If it happens again, another model or other model settings may help."

WHAT_TO_DO: Final = {
    "model_key_missing": "Set the variable in the worker's environment and restart the worker.",
    "model_key_rejected": "Check the key in the worker's environment; restart the worker after you change it.",
    "model_key_not_allowed": "Add the variable to BATON_MODEL_KEYS of the API and the worker, or name another one.",
    "model_host_not_allowed": "Add the host to BATON_MODEL_HOSTS of the API and the worker, or name another one.",
    "model_setting_unsupported": "Remove the setting, or use a provider that takes it.",
    "provider_not_installed": "Install the extra where the worker runs and restart the worker.",
    "model_not_found": "The provider has no such model, or not for this key: correct the agent's model.",
    "model_unknown": "Correct the agent's model: `scripted`, or provider:model.",
    "model_quota": "Add credit, or raise the spending limit, at the provider.",
    "model_rate_limited": _LATER,
    "model_unavailable": f"{_LATER} {_SERVER}",
    "model_refused": f"The provider rejects such requests: check the model settings. {_SERVER}",
    "context_overflow": "The agent's instructions and tools are longer than the model reads: shorten them.",
    "model_filtered": "The provider's filter stops what the agent is told: check its instructions.",
    "model_silent": "Raise first_content_seconds if the model is only slow; otherwise check its server.",
    "model_cut_off": f"The connection ends too early: look at proxies between the worker and the provider. {_SERVER}",
    "model_bad_reply": f"{_SERVER} {_REPLY}",
    "step_too_long": _REPLY,
    "step_broken": "The worker's log says what happened.",
    "scripted_failure": _REPLY,
    "scripted_fatal": _REPLY,
    "result_invalid": "Ask for JSON in the instructions, or make the result_schema simpler.",
    "limit_reached": "Raise the agent's limits.",
    "transcript_too_large": "Shorten the agent's instructions.",
    "worker_died": "The worker's log says what happened.",
}


def remedy(code: str) -> str:
    """A sentence or two for whoever looks after the agent."""
    return WHAT_TO_DO.get(code, _REPLY)
