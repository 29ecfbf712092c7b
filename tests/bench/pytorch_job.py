#!/usr/bin/env python3
"""The work of `bench job` in PyTorch: trains the classifier of `bench documents` on four
sentences and predicts one more. pytorch_peer.py measures the complete process, `import torch`
included, because its user waits for that, too."""
import torch
from torch import nn

SENTENCES = [
    ("This is a great movie", 1),
    ("I don't like this movie", 0),
    ("The plot is interesting", 1),
    ("The actors are terrible", 0),
]
LABELS = ["negative", "positive"]


class Classifier(nn.Module):
    def __init__(self, words, embedding=50, hidden=50):
        super().__init__()
        self.embedding = nn.Embedding(words, embedding, padding_idx=0)
        self.encoder = nn.LSTM(embedding, hidden, batch_first=True)
        self.proj = nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.classify = nn.Linear(hidden, len(LABELS))

    def forward(self, ids):
        h, _ = self.encoder(self.embedding(ids))
        scores = self.score(torch.tanh(self.proj(h))).squeeze(-1)
        scores = scores.masked_fill(ids == 0, float("-inf"))
        context = torch.bmm(torch.softmax(scores, dim=-1).unsqueeze(1), h).squeeze(1)
        return self.classify(context)


def main():
    torch.manual_seed(1)
    vocabulary = {"<pad>": 0, "<unk>": 1}
    for text, _ in SENTENCES:
        for word in text.lower().split():
            vocabulary.setdefault(word, len(vocabulary))

    def encode(text):
        return torch.tensor([vocabulary.get(word, 1) for word in text.lower().split()])

    ids = nn.utils.rnn.pad_sequence([encode(text) for text, _ in SENTENCES],
                                    batch_first=True)
    labels = torch.tensor([label for _, label in SENTENCES])
    model = Classifier(len(vocabulary))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    for epoch in range(10):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(ids), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimizer.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}")
    with torch.inference_mode():
        logits = model(encode("The movie is amazing").unsqueeze(0))
        probabilities = torch.softmax(logits, dim=-1)[0]
    print(LABELS[int(probabilities.argmax())], [round(p, 4) for p in probabilities.tolist()])


if __name__ == "__main__":
    main()
