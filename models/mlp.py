"""A multi-layer perceptron: any number of hidden layers of any width."""

from itertools import pairwise

from explorer.models.model import Activation, BatchNorm, Dropout, HiddenLayers, Images, Layer


class MLP(HiddenLayers):
    """Multi-layer perceptron

    Each hidden layer is linear, batch normalization if asked for, activation, dropout if asked for.
    """

    place = 1
    aims = {"mnist": 0.991, "fashion": 0.906}

    activation: Activation = "silu"
    dropout: Dropout = 0.0
    batchnorm: BatchNorm = False

    def headline(self, images: Images) -> str:
        return "-".join(map(str, (images.pixels, *self.units, images.classes)))

    def build(self, images: Images) -> list[Layer]:
        from explorer.models import layers

        net: list[Layer] = [layers.flatten]
        for inputs, outputs in pairwise((images.pixels, *self.units)):
            if self.batchnorm:
                net += [layers.Linear(inputs, outputs), layers.BatchNorm(outputs), layers.Activation(self.activation)]
            else:
                net += [layers.Linear(inputs, outputs, self.activation)]
            if self.dropout:
                net += [layers.Dropout(len(net))]
        return [*net, layers.Linear(self.units[-1], images.classes)]
