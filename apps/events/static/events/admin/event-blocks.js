// The editor of an event page's blocks: Wagtail's own, but for blocks of a missing plugin. Those that are there are
// shown and kept; none can be added.
(() => {
  const { StreamBlockDefinition } = window.wagtailStreamField.blocks;

  class EventBlocksDefinition extends StreamBlockDefinition {
    constructor(name, groups, initialStates, meta) {
      super(name, groups, initialStates, meta); // knows every block by name
      this.groupedChildBlockDefs = groups
        .map(([group, blocks]) => [group, blocks.filter((block) => block.name !== "missing")])
        .filter(([, blocks]) => blocks.length > 0);
    }
  }

  window.telepath.register("events.EventBlocks", EventBlocksDefinition);
})();
