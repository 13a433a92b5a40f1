// Walks through every API with the clients that @hey-api/openapi-ts has made of their documents, types checked.
// Arguments: an API's name, the root, a key, the task queue, the uuid and the integer of an agent.
import * as asteroid from './asteroid';
import { client as asteroidClient } from './asteroid/client.gen';
import * as baton from './baton';
import { client as batonClient } from './baton/client.gen';
import * as chat from './chat_tasks';
import { client as chatClient } from './chat_tasks/client.gen';
import * as kubiya from './kubiya';
import { client as kubiyaClient } from './kubiya/client.gen';
import * as maia from './maia';
import { client as maiaClient } from './maia/client.gen';
import * as twill from './twill';
import { client as twillClient } from './twill/client.gen';

declare const process: { argv: string[]; exitCode: number };
const [name, baseUrl, key, queue, agent, numberText] = process.argv.slice(2);
const PROMPT = '!say Let me see.\n!ask {"question": "Which region?", "choices": ["Europe", "Asia"]}\n!finish Done.';
const NOBODY = '00000000-0000-4000-8000-000000000000';
const throwOnError = true as const;
type Json = any; // Kubiya publishes no shapes of its answers

async function waitFor<T>(read: () => Promise<T>, done: (found: T) => boolean): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = await read();
    if (done(found)) return found;
    if (Date.now() > deadline) throw new Error(`never so: ${JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// The data of a stream's frames up to the one that is the last, or to its end.
async function follow(stream: AsyncGenerator<unknown>, isLast: (data: Json) => boolean): Promise<Json[]> {
  const told: Json[] = [];
  for await (const data of stream) {
    told.push(data);
    if (isLast(data)) return told;
  }
  throw new Error(`the stream has ended too early: ${JSON.stringify(told.slice(-3))}`);
}

async function walkAsteroid() {
  const listed = (await asteroid.agentList({ query: { pageSize: 100 }, throwOnError })).data.items;
  const path = { executionId: '' };
  const body = { inputs: { task: PROMPT }, metadata: { trace: 'typescript' } };
  path.executionId = (await asteroid.agentExecutePost({ path: { agentId: agent }, body, throwOnError })).data.executionId;
  const read = async () => (await asteroid.executionGet({ path, throwOnError })).data;
  await waitFor(read, (found) => found.status === 'paused_by_agent');
  const activities = (await asteroid.executionActivitiesGet({ path, throwOnError })).data;
  const added = (await asteroid.executionUserMessagesAdd({ path, body: { message: 'Europe' }, throwOnError })).data;
  const done = await waitFor(read, (found) => found.status === 'completed');
  const query = { executionId: path.executionId, metadataKey: 'trace', metadataValue: 'typescript' };
  const found = (await asteroid.executionsList({ query, throwOnError })).data;
  const unknown = await asteroid.executionGet({ path: { executionId: NOBODY } });
  return {
    listed: listed.some((one) => one.id === agent),
    kinds: [...new Set(activities.map((one) => one.payload.activityType))].sort(),
    added,
    result: done.executionResult?.result,
    found: found.total,
    unknown: [unknown.response?.status, unknown.error?.code],
  };
}

async function walkKubiya() {
  const agents = (await kubiya.listAgentsApiV1AgentsGet({ throwOnError })).data as Json;
  const task = { id: 1, title: 'One', description: PROMPT, details: '', dependencies: [] };
  const plan = { title: 'A plan', team_breakdown: [{ team_id: 't', team_name: 'T', tasks: [task] }] };
  const started = await kubiya.executePlanApiV1TasksPlanExecutePost({ body: { plan, worker_queue_id: queue }, throwOnError });
  const path = { execution_id: (started.data as Json).execution_id };
  const events: string[] = [];
  const { stream } = await kubiya.streamPlanExecutionApiV1TasksPlanExecutionIdStreamGet({
    path,
    onSseEvent: (event) => void events.push(event.event ?? ''),
  });
  let asked = '';
  let answered: Json;
  for await (const data of stream as AsyncGenerator<Json>) {
    if (events.at(-1) === 'task_waiting_for_input') {
      asked = data.question;
      answered = (
        await kubiya.sendTaskMessageApiV1TasksPlanExecutionIdTasksTaskIdMessagePost({
          path: { ...path, task_id: 1 },
          body: { message: 'Europe' },
          throwOnError,
        })
      ).data;
    }
  }
  const done = (await kubiya.getPlanExecutionApiV1TasksPlanExecutionIdGet({ path, throwOnError })).data as Json;
  const unknown = await kubiya.getPlanExecutionApiV1TasksPlanExecutionIdGet({ path: { execution_id: NOBODY } });
  return {
    listed: agents.some((one: Json) => one.id === agent),
    asked,
    signaled: answered.workflow_signaled,
    last: events.at(-1),
    status: done.status,
    unknown: [unknown.response?.status, (unknown.error as Json).detail],
  };
}

async function walkMaia() {
  const body = { agentConfig: { name: 'data_engineer_agent', projectId: 'typescript' }, message: PROMPT };
  const { taskId } = (await maia.createTask({ body, throwOnError })).data;
  const path = { taskId };
  const read = async () => (await maia.getTask({ path, throwOnError })).data;
  const waiting = await waitFor(read, (found) => found.status === 'STOPPED' && found.pendingDecisions.length > 0);
  const [pending] = waiting.pendingDecisions;
  const sent = (await maia.sendMessage({ path, body: { message: 'Europe' }, throwOnError })).data;
  const messages = async () => (await maia.getTaskMessages({ path, query: { limit: 100 }, throwOnError })).data.results;
  await waitFor(messages, (found) => JSON.stringify(found).includes('You said: Europe'));
  await waitFor(read, (found) => found.status === 'STOPPED' && found.pendingDecisions.length === 0);
  const listed = (await maia.listTasks({ query: { projectId: 'typescript' }, throwOnError })).data.tasks;
  const unknown = await maia.getTask({ path: { taskId: NOBODY } });
  return {
    question: pending.type === 'question' ? pending.questions[0].question : pending.toolName,
    sent: sent.taskId === taskId,
    listed: listed.some((one) => one.taskId === taskId),
    stopped: (await maia.stopTask({ path, throwOnError })).data.status,
    unknown: [unknown.response?.status, unknown.error?.status],
  };
}

async function walkChat() {
  const agent_id = Number(numberText);
  const said = (content: string) => ({ agent_id, message: { role: 'user' as const, content } });
  const { task_id } = (await chat.createTaskV1ChatTasksPost({ body: said(PROMPT), throwOnError })).data;
  const path = { task_id };
  const events: string[] = [];
  const onSseEvent = (event: { event?: string }) => void events.push(event.event ?? '');
  const first = await chat.streamTaskEventsV1ChatTasksTaskIdEventsGet({ path, onSseEvent });
  const asked = await follow(first.stream as AsyncGenerator<Json>, () => events.at(-1) === 'task.input_required');
  await chat.replyToTaskV1ChatTasksTaskIdReplyPost({ path, body: said('Europe'), throwOnError });
  const second = await chat.streamTaskEventsV1ChatTasksTaskIdEventsGet({ path, onSseEvent });
  const ended = await follow(second.stream as AsyncGenerator<Json>, () => events.at(-1) === 'task.completed');
  const idle = await chat.replyToTaskV1ChatTasksTaskIdReplyPost({ path, body: said('Asia') });
  const steps = (await chat.listTaskStepsV1ChatTasksTaskIdStepsGet({ path, throwOnError })).data.steps;
  return {
    prompt: asked.at(-1).prompt,
    output: ended.at(-1).output,
    steps: [...new Set(steps.map((step) => step.type))].sort(),
    idle: (idle.error as Json).error.code,
  };
}

async function walkTwill() {
  const { workspaceSlug } = (await twill.getMe({ throwOnError })).data;
  const repositories = (await twill.listRepositories({ throwOnError })).data.repositories;
  const made = (await twill.createTask({ body: { command: PROMPT }, throwOnError })).data;
  const path = { taskIdOrSlug: made.task.slug };
  const logs = async (jobId: string) => {
    const { stream } = await twill.streamJobLogs({ path: { jobId } });
    return (await follow(stream as AsyncGenerator<Json>, (data) => data.type === 'complete')).at(-1).status;
  };
  const asked = await logs(made.job.id);
  const { job } = (await twill.sendMessage({ path, body: { message: 'Europe' }, throwOnError })).data;
  const answered = await logs(job.id);
  const latest = async () => (await twill.getTask({ path, throwOnError })).data.latestJob;
  const done = await waitFor(latest, (found) => found?.status === 'COMPLETED');
  const unknown = await twill.getTask({ path: { taskIdOrSlug: 'nothing' } });
  return {
    workspace: workspaceSlug.length > 0,
    repositories,
    asked,
    answered,
    final: done?.finalAnswer,
    archived: (await twill.archiveTask({ path, throwOnError })).data.success,
    unknown: unknown.error?.error.code,
  };
}

async function walkBaton() {
  const agents = (await baton.listAgents({ throwOnError })).data.items;
  const execution = (await baton.startExecution({ body: { prompt: PROMPT }, throwOnError })).data;
  const path = { task_id: execution.tasks[0].id };
  const events: string[] = [];
  const { stream } = await baton.streamExecution({
    path: { execution_id: execution.id },
    onSseEvent: (event) => void events.push(event.event ?? ''),
  });
  let receipt = '';
  for await (const _ of stream) {
    if (events.at(-1) === 'turn.ended' && !receipt) {
      receipt = (await baton.sendMessage({ path, body: { text: 'Europe' }, throwOnError })).data.id;
    }
  }
  const done = (await baton.getTask({ path, throwOnError })).data;
  const message = (await baton.getMessage({ path: { message_id: receipt }, throwOnError })).data;
  const unknown = await baton.getTask({ path: { task_id: NOBODY } });
  return {
    listed: agents.some((one) => one.id === agent),
    last: events.at(-1),
    result: done.result,
    receipt: message.state,
    unknown: unknown.error?.code,
  };
}

const bearer = { baseUrl, auth: key };
for (const client of [kubiyaClient, maiaClient, chatClient, twillClient, batonClient, asteroidClient]) {
  (client as typeof batonClient).setConfig(bearer);
}
const walks: Record<string, () => Promise<unknown>> = {
  asteroid: walkAsteroid,
  kubiya: walkKubiya,
  maia: walkMaia,
  chat_tasks: walkChat,
  twill: walkTwill,
  baton: walkBaton,
};
walks[name]().then(
  (told) => console.log(JSON.stringify(told)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
