"""Data-parallel training: two processes, one run."""

from __future__ import annotations

import socket

import torch
from sklearn.datasets import load_digits
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

import ledgit

WORLD = 2


def train(rank: int, port: int) -> None:
    """What each process does: its share of the data, gradients averaged over all."""
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=WORLD)
    torch.manual_seed(0)
    shared = [ledgit.start_run(run_name="data-parallel").info.run_id] if rank == 0 else [None]
    distributed.broadcast_object_list(shared)
    if rank != 0:
        ledgit.start_run(run_id=shared[0])  # joins the run of rank 0
    else:
        ledgit.log_params({"world_size": WORLD, "rate": 0.5})

    pixels, digits = load_digits(return_X_y=True)
    x = torch.tensor(pixels[rank::WORLD] / 16, dtype=torch.float32)
    y = torch.tensor(digits[rank::WORLD])
    model = DistributedDataParallel(nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for epoch in range(10):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        ledgit.log_metric(f"loss/rank-{rank}", loss.item(), step=epoch)
        distributed.all_reduce(loss)
        if rank == 0:
            ledgit.log_metric("loss", loss.item() / WORLD, step=epoch)
    distributed.barrier()  # rank 0 ends the run, so the others are done by then
    if rank != 0:
        ledgit.end_run()  # leaves
    distributed.barrier()
    if rank == 0:
        ledgit.end_run()
    distributed.destroy_process_group()


if __name__ == "__main__":
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    # "fork" imports PyTorch once; with GPUs it has to be "spawn", or torchrun.
    multiprocessing.start_processes(train, args=(free,), nprocs=WORLD, start_method="fork")
