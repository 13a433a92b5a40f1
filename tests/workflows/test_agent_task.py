from tests.support.system import running_system


async def test_ask_and_answer(database_url, temporal_server):
    async with running_system(database_url, temporal_server) as system:
        task = await system.start("!ask Which region?\n!finish done")
        row = await system.until(task, "waiting", "failed", "succeeded")
        assert row["state"] == "waiting"
        receipt = await system.send(task, "eu-west")
        assert receipt.seq == 1
        row = await system.until(task, "failed", "succeeded")
        for e in await system.log(await system.execution_of(task)):
            print(e.seq, e.type, e.task_state, e.execution_state, e.data)
        assert row["state"] == "succeeded"
