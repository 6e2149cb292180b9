#pragma once

namespace finwait::lab {

/// Whether the running kernel calls itself MAJOR.MINOR or newer. For what a test must skip on older ones, so that it
/// cannot skip on those that have it. A distribution's kernel may have more than its number says.
bool KernelIsAtLeast(int major, int minor);

}  // namespace finwait::lab
