"""Fashion-MNIST: articles of clothing. H. Xiao, K. Rasul, R. Vollgraf, arXiv:1708.07747, 2017."""

from pathlib import Path

from explorer.datasets.entry import Framing, Published

DATASET = Published(
    name="fashion",
    title="Fashion-MNIST",
    # The paper's "T-shirt/top" and "ankle boot" are shortened: the names stand beside small pictures, too.
    classes=("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
    height=28,
    width=28,
    training=50_000,
    validation=10_000,
    test=10_000,
    epsilon=0.002,
    delta=0.005,
    place=2,
    framing=Framing(28, "middle"),  # arXiv:1708.07747, figure 1
    digests=(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    debian=("dataset-fashion-mnist", Path("/usr/share/datasets/fashion-mnist")),
)
