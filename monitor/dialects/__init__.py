"""The dialects: how a protocol opens, beats and answers. Pure: frames in, meaning out."""
