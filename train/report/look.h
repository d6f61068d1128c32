// How the reports look and move: what they add to the style of base/html.h.
#pragma once

namespace vitrail::report {

// CSS: colours of the curves for light and dark, grids that become one column on a telephone.
extern const char* const kStyle;
// JavaScript: values under the pointer and by arrow keys, tables sorted by a click, a page of a running training that loads
// itself again. Without it the page is complete, but still.
extern const char* const kScript;

}  // namespace vitrail::report
