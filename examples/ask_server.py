"""Ask `hybrid serve` as any client of OpenAI's protocol does: its models, an answer, its places, a stream."""

import sys

from openai import OpenAI

QUESTION = "On which port does the server listen by default?"

with OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="any") as client:
    print("models:", ", ".join(model.id for model in client.models.list()))

    turns = [{"role": "user", "content": QUESTION}]
    answer = client.chat.completions.create(model="hybrid/auto", messages=turns)
    print(f"\n{QUESTION}\n{answer.choices[0].message.content}")
    for place in answer.citations:
        print(f"  [{place['number']}] {place['title']}, {place['source']}\n      {place['url']}")

    turns = [{"role": "user", "content": "At what oven temperature should sourdough bread be baked?"}]
    print(f"\n{turns[0]['content']}")
    for chunk in client.chat.completions.create(model="hybrid/auto", messages=turns, stream=True):
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    print(f"\n  outcome: {chunk.hybrid['outcome']}")
